#include "apiserver/stored_form.h"

#include <vector>

#include "api/codec.h"
#include "api/stored_form.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

// No object has this name: what a stored name that none can have stands for.
constexpr const char* k_no_name = "/";

constexpr std::string_view k_group = ".crd.projectcalico.org";

// Null: the resource's objects are its own.
const api::Kind* form_of(std::string_view resource) {
  if (!resource.ends_with(k_group)) return nullptr;
  const auto* kind = api::find_resource(resource);
  return kind != nullptr && !kind->shows.empty() ? kind : nullptr;
}

std::string name_behind(const api::Kind& kind, const std::string& stored) {
  return stored.empty() ? stored : api::shown_name(kind, stored).value_or(k_no_name);
}

store::Key behind(const api::Kind& kind, const store::Key& key) {
  return {kind.shows, key.ns, name_behind(kind, key.name)};
}

store::Scope behind(const api::Kind& kind, const store::Scope& scope) {
  return {kind.shows, scope.ns, name_behind(kind, scope.name)};
}

bool is_shown(const api::Kind& kind, const store::Entry& entry) {
  return api::has_form(kind, entry.key.name);
}

std::unexpected<base::Error> not_here(const std::string& resource) {
  return base::fail(base::ErrorCode::internal,
                    resource + " has no objects of its own: they are written and watched as v3's");
}

}  // namespace

Answer<ObjectRef> behind(const ObjectRef& ref) {
  ObjectRef out = ref;
  out.kind = api::shown_kind(*ref.kind);
  if (ref.name.empty()) return out;
  auto name = api::shown_name(*ref.kind, ref.name);
  if (!name) return refuse(not_found(*ref.kind, ref.name));
  out.name = std::move(*name);
  return out;
}

Answer<> check_stored_name(const ObjectRef& ref) {
  const auto checked = api::check_stored_name(*ref.kind, ref.name);
  if (checked) return {};
  return refuse(from_error(*ref.kind, ref.name, checked.error()));
}

Answer<json::object> from_stored_form(const ObjectRef& ref, json::object object) {
  const auto name = std::string(text_at(object, {"metadata", "name"}));
  auto shown = api::from_stored_form(*ref.kind, std::move(object));
  if (!shown) return refuse(from_error(*ref.kind, name, shown.error()));
  return std::move(*shown);
}

store::Entry in_stored_form(const api::Kind& kind, store::Entry entry) {
  entry.key = key_in_stored_form(kind, std::move(entry.key));
  entry.value = text_in_stored_form(kind, std::move(entry.value));
  return entry;
}

store::Key key_in_stored_form(const api::Kind& kind, store::Key key) {
  return {kind.resource(), std::move(key.ns), api::stored_name(kind, key.name)};
}

std::string text_in_stored_form(const api::Kind& kind, std::string text) {
  auto value = api::parse_json(text);
  if (!value || !value->is_object()) return text;
  return to_text(kind, api::to_stored_form(kind, std::move(value->get_object())));
}

store::Scope stored_scope(const api::Kind& kind, const store::Scope& scope) {
  return kind.shows.empty() ? scope : behind(kind, scope);
}

base::Result<ParsingRoom::Place> StoredFormStore::place_for(const store::Entry& entry) {
  if (busy_ == Busy::wait) return room_.wait(entry.value);
  auto place = room_.enter(entry.value);
  if (!place) return base::fail(base::ErrorCode::unavailable, place.error().message);
  return std::move(*place);
}

base::Result<store::Entry> StoredFormStore::get(const store::Key& key) {
  const auto* kind = form_of(key.resource);
  if (kind == nullptr) return store_.get(key);
  MARGAY_TRY(auto entry, store_.get(behind(*kind, key)));
  MARGAY_TRY(const auto place, place_for(entry));
  return in_stored_form(*kind, std::move(entry));
}

base::Result<store::List> StoredFormStore::list(const store::Scope& scope,
                                                const store::ListOptions& options) {
  const auto* kind = form_of(scope.resource);
  if (kind == nullptr) return store_.list(scope, options);
  if (!options.name_prefix.empty() && api::names_differ(*kind))
    return base::fail(base::ErrorCode::invalid,
                      "namePrefix cannot be used here: names are stored with others");
  MARGAY_TRY(auto list, store_.list(behind(*kind, scope), options));
  std::erase_if(list.entries, [&](const auto& entry) { return !is_shown(*kind, entry); });
  if (api::names_differ(*kind)) list.remaining.reset();  // some of those may not be shown
  for (auto& entry : list.entries) {
    MARGAY_TRY(const auto place, place_for(entry));
    entry = in_stored_form(*kind, std::move(entry));
  }
  return list;
}

base::Result<store::Entry> StoredFormStore::create(const store::Key& key, std::string value) {
  if (form_of(key.resource) != nullptr) return not_here(key.resource);
  return store_.create(key, std::move(value));
}

base::Result<store::Entry> StoredFormStore::update(const store::Key& key, std::string value,
                                                   std::optional<store::Revision> expected) {
  if (form_of(key.resource) != nullptr) return not_here(key.resource);
  return store_.update(key, std::move(value), expected);
}

base::Result<store::Entry> StoredFormStore::remove(const store::Key& key,
                                                   std::optional<store::Revision> expected) {
  if (form_of(key.resource) != nullptr) return not_here(key.resource);
  return store_.remove(key, expected);
}

base::Result<std::unique_ptr<store::Watch>> StoredFormStore::watch(const store::Scope& scope,
                                                                   store::Revision from,
                                                                   store::Watcher& watcher) {
  if (form_of(scope.resource) != nullptr) return not_here(scope.resource);
  return store_.watch(scope, from, watcher);
}

base::Result<store::Changes> StoredFormStore::changes(const store::Scope& scope,
                                                      store::Revision from, size_t bytes) {
  if (form_of(scope.resource) != nullptr) return not_here(scope.resource);
  return store_.changes(scope, from, bytes);
}

}  // namespace margay::apiserver
