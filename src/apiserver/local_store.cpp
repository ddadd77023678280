#include "apiserver/local_store.h"

#include "api/codec.h"
#include "apiserver/namespace_sweeper.h"
#include "apiserver/object.h"
#include "apiserver/tiers.h"
#include "store/kubernetes/status.h"

namespace margay::apiserver {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// What a namespace says that takes no service account, and needs none.
bool goes_or_has_gone(const base::Error& error) {
  return error.code == ErrorCode::forbidden || error.code == ErrorCode::not_found;
}

base::Error to_error(const Status& status) {
  return store::kubernetes::to_error(status.to_object(), static_cast<unsigned>(status.code));
}

Result<ObjectRef> ref_of(const store::Key& key) {
  const auto* kind = api::find_resource(key.resource);
  if (kind == nullptr)
    return fail(ErrorCode::unsupported, "unknown resource \"" + key.resource + "\"");
  return ObjectRef{.kind = kind, .ns = key.ns, .name = key.name};
}

Result<json::object> parse_object(std::string_view text) {
  MARGAY_TRY(auto value, api::parse_json(text));
  if (!value.is_object()) return fail(ErrorCode::invalid, "not a JSON object");
  return std::move(value.get_object());
}

}  // namespace

LocalStore::LocalStore(std::unique_ptr<store::Store> store)
    : store_(std::move(store)),
      reads_(*store_, room_, StoredFormStore::Busy::wait),
      writes_(*store_, clock_, room_) {}

Result<> LocalStore::prepare(const std::string& ns) {
  const std::lock_guard lock(preparing_);
  if (!has_initial_) {
    for (const auto& restored :
         {restore_initial_namespaces(*store_, writes_), restore_tiers(*store_, writes_)})
      if (!restored) return fail(to_error(restored.error()));
    has_initial_ = true;
  }
  if (ns.empty() || has_account_.contains(ns)) return {};
  if (const auto made = writes_.ensure_default_service_account(ns); made)
    has_account_.insert(ns);
  else if (auto error = to_error(made.error()); !goes_or_has_gone(error))
    return fail(std::move(error));
  return {};
}

Result<store::Entry> LocalStore::get(const store::Key& key) { return reads_.get(key); }

Result<store::List> LocalStore::list(const store::Scope& scope, const store::ListOptions& options) {
  return reads_.list(scope, options);
}

Result<store::Entry> LocalStore::create(const store::Key& key, std::string value) {
  MARGAY_TRY(const auto ref, ref_of(key));
  MARGAY_CHECK(prepare(key.ns));
  MARGAY_TRY(auto object, parse_object(value));
  metadata_of(object).erase("resourceVersion");
  auto written = writes_.create(ref, std::move(object), {});
  if (!written) return fail(to_error(written.error()));
  return std::move(written->entry);
}

Result<store::Entry> LocalStore::update(const store::Key& key, std::string value,
                                        std::optional<store::Revision> expected) {
  MARGAY_TRY(const auto ref, ref_of(key));
  // A full disk takes no new object, but this one is there: what is missing is made by a later
  // write.
  if (auto prepared = prepare(key.ns); !prepared && prepared.error().code != ErrorCode::unavailable)
    return fail(std::move(prepared).error());
  MARGAY_TRY(auto object, parse_object(value));
  auto& metadata = metadata_of(object);
  metadata.erase("resourceVersion");
  if (expected) metadata["resourceVersion"] = std::to_string(*expected);
  auto written = writes_.update(ref, object, {});
  if (!written) return fail(to_error(written.error()));
  return std::move(written->entry);
}

Result<store::Entry> LocalStore::remove(const store::Key& key,
                                        std::optional<store::Revision> expected) {
  MARGAY_TRY(const auto ref, ref_of(key));
  auto removed = writes_.remove(ref, {.revision = expected}, true);
  if (!removed) return fail(to_error(removed.error()));
  return std::move(removed->entry);
}

Result<std::unique_ptr<store::Watch>> LocalStore::watch(const store::Scope& scope,
                                                        store::Revision from,
                                                        store::Watcher& watcher) {
  return reads_.watch(scope, from, watcher);
}

}  // namespace margay::apiserver
