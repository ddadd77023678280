#include "apiserver/writes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "api/derived_names.h"
#include "api/patch.h"
#include "api/stored_form.h"
#include "apiserver/kind_rules.h"
#include "apiserver/names.h"
#include "apiserver/object.h"
#include "apiserver/pool_overlap.h"
#include "apiserver/protobuf_message.h"
#include "apiserver/stored_form.h"
#include "apiserver/tiers.h"

namespace margay::apiserver {
namespace {

// How many names are made up for an object with generateName.
constexpr int k_names = 10;

// How long a write that set no condition is tried again after others were faster. Of those that
// race one always wins, so that only a storm of writes to one object comes near it.
constexpr std::chrono::seconds k_patience{30};

Status out_of_patience(const ObjectRef& ref) {
  return from_error(
      *ref.kind, ref.name,
      {base::ErrorCode::timeout,
       fmt::format("others changed the object for {} s without a pause", k_patience.count()),
       {}});
}

bool is_pool(const api::Kind& kind) { return kind.resource() == "ippools.projectcalico.org"; }

// The object must be of the kind, namespace and name that the URL says; what it leaves out is
// filled in.
Answer<> complete_identity(const ObjectRef& ref, json::object& object) {
  const auto& kind = *ref.kind;
  const auto api_version = text_at(object, {"apiVersion"});
  const auto kind_name = text_at(object, {"kind"});
  if ((!api_version.empty() && api_version != kind.api_version()) ||
      (!kind_name.empty() && kind_name != kind.name))
    return refuse(bad_request(fmt::format("the object is a {} of {}, but the URL is for {} of {}",
                                          kind_name, api_version, kind.name, kind.api_version())));
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.name;
  if (const auto* metadata = object.if_contains("metadata");
      metadata != nullptr && !metadata->is_object())
    return refuse(bad_request("metadata: must be an object"));
  auto& metadata = metadata_of(object);
  if (!kind.namespaced) {
    metadata.erase("namespace");
  } else {
    const auto ns = text_at(metadata, {"namespace"});
    if (!ns.empty() && ns != ref.ns)
      return refuse(bad_request(
          "the namespace of the provided object does not match the namespace sent on the request"));
    metadata["namespace"] = ref.ns;
  }
  const auto name = text_at(metadata, {"name"});
  if (!ref.name.empty() && name.empty()) metadata["name"] = ref.name;
  if (!ref.name.empty() && !name.empty() && name != ref.name)
    return refuse(bad_request(fmt::format(
        "the name of the object ({}) does not match the name on the URL ({})", name, ref.name)));
  return {};
}

void begin_life(json::object& object, base::Clock::Wall now) {
  auto& metadata = metadata_of(object);
  for (const auto* member : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                             "managedFields", "resourceVersion"})
    metadata.erase(member);
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = base::to_rfc3339(now);
  if (object.contains("spec"))
    metadata["generation"] = 1;
  else
    metadata.erase("generation");
}

// What only the server changes stays as it was.
void keep_system_metadata(const json::object& old_object, json::object& object) {
  const auto& old_metadata = metadata_of(old_object);
  auto& metadata = metadata_of(object);
  for (const auto* member :
       {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
        "generateName", "resourceVersion"})
    carry_over(member, old_metadata, metadata);
  metadata.erase("managedFields");
  metadata.erase("selfLink");
}

// Whether anything but metadata and status differs.
bool desired_state_differs(const json::object& a, const json::object& b) {
  const auto covers = [](const json::object& left, const json::object& right) {
    for (const auto& [name, value] : left) {
      if (name == "metadata" || name == "status") continue;
      const auto* other = right.if_contains(name);
      if (other == nullptr || *other != value) return false;
    }
    return true;
  };
  return !covers(a, b) || !covers(b, a);
}

void count_generation(const json::object& old_object, json::object& object) {
  if (!object.contains("spec") || !desired_state_differs(old_object, object)) return;
  metadata_of(object)["generation"] =
      integer_at(old_object, {"metadata", "generation"}).value_or(0) + 1;
}

Answer<> check_finalizers(const ObjectRef& ref, const json::object& old_object,
                          const json::object& object) {
  if (text_at(old_object, {"metadata", "deletionTimestamp"}).empty()) return {};
  const auto* finalizers = find_at(object, {"metadata", "finalizers"});
  if (finalizers == nullptr || !finalizers->is_array()) return {};
  const auto* old_value = find_at(old_object, {"metadata", "finalizers"});
  const auto none = json::array();
  const auto& old_finalizers =
      old_value != nullptr && old_value->is_array() ? old_value->get_array() : none;
  for (const auto& finalizer : finalizers->get_array()) {
    if (std::ranges::find(old_finalizers, finalizer) != old_finalizers.end()) continue;
    base::Error error{base::ErrorCode::invalid, {}, {}};
    error.fields.push_back({base::FieldError::Type::forbidden, "metadata.finalizers",
                            json::serialize(finalizer),
                            "no new finalizers can be added if the object is being deleted"});
    return refuse(from_error(*ref.kind, ref.name, error));
  }
  return {};
}

// The client's conditions on an update: the revision and the incarnation it read.
Answer<> check_conditions(const ObjectRef& ref, const store::Entry& entry,
                          const json::object& old_object, const json::object& object) {
  const auto revision = text_at(object, {"metadata", "resourceVersion"});
  if (!revision.empty() && revision != std::to_string(entry.revision))
    return refuse(from_error(*ref.kind, ref.name, {base::ErrorCode::conflict, {}, {}}));
  const auto uid = text_at(object, {"metadata", "uid"});
  const auto old_uid = text_at(old_object, {"metadata", "uid"});
  if (!uid.empty() && uid != old_uid)
    return refuse(conflict(*ref.kind, ref.name,
                           fmt::format("Precondition failed: UID in precondition: {}, UID in "
                                       "object meta: {}",
                                       uid, old_uid)));
  return {};
}

// Whatever the descriptions leave open (an `any_object()`), the object must have its kind's
// protobuf form: what one client writes in JSON, others read in that.
Answer<> check_forms(const ObjectRef& ref, std::string_view name, const json::object& object) {
  const auto* message = find_message(*ref.kind);
  if (message == nullptr) return {};
  if (const auto bytes = encode_message(*message, object); !bytes)
    return refuse(from_error(*ref.kind, name, bytes.error()));
  return {};
}

base::Result<json::value> apply_patch(const api::Kind& kind, PatchType type,
                                      const json::object& current, const json::value& patch) {
  switch (type) {
    case PatchType::json:
      return api::apply_json_patch(current, patch);
    case PatchType::merge:
      return api::apply_merge_patch(current, patch);  // cannot fail
    case PatchType::strategic:
      return api::apply_strategic_merge_patch(*kind.schema, current, patch);
  }
  return base::fail(base::ErrorCode::internal, "a patch of no type");
}

}  // namespace

// Objects of another kind, in another form.
bool is_stored_form(const api::Kind& kind) { return !kind.shows.empty(); }

store::Key key_of(const ObjectRef& ref) { return {ref.kind->resource(), ref.ns, ref.name}; }

// ---- create ------------------------------------------------------------------------------------

Answer<Written> Writes::create(const ObjectRef& ref, json::object object,
                               const WriteOptions& options) {
  MARGAY_CHECK(complete_identity(ref, object));
  if (is_stored_form(*ref.kind)) {
    MARGAY_TRY(const auto shown, behind(ref));
    MARGAY_TRY(object, from_stored_form(ref, std::move(object)));
    MARGAY_TRY(auto written, create(shown, std::move(object), options));
    return told_as(ref, std::move(written));
  }
  const auto& metadata = metadata_of(std::as_const(object));
  if (!text_at(metadata, {"resourceVersion"}).empty())
    return refuse(bad_request("resourceVersion should not be set on objects to be created"));
  const auto prefix = std::string(text_at(metadata, {"generateName"}));
  if (!text_at(metadata, {"name"}).empty() || prefix.empty())
    return create_named(ref, std::move(object), options);
  for (int attempt = 1;; ++attempt) {
    auto named = object;
    metadata_of(named)["name"] = generate_name(prefix);
    auto written = create_named(ref, std::move(named), options);
    if (written || written.error().reason != "AlreadyExists" || attempt == k_names) return written;
  }
}

Written Writes::told_as(const ObjectRef& form, Written written) {
  const auto place = room_.wait(written.entry.value);
  written.entry = in_stored_form(*form.kind, std::move(written.entry));
  return written;
}

Answer<Namespace> Writes::enter(const ObjectRef& ref, const std::string& name) {
  const auto& namespaces = *api::find_resource("namespaces");
  auto found = read_namespace(store_, room_, known_namespaces_, ref.ns);
  if (!found) return refuse(from_error(namespaces, ref.ns, found.error()));
  if (found->state == Namespace::State::absent) return refuse(not_found(namespaces, ref.ns));
  if (found->state == Namespace::State::active) return std::move(*found);
  return refuse(forbidden(*ref.kind, name,
                          fmt::format("unable to create new content in namespace {} because it is "
                                      "being terminated",
                                      ref.ns)));
}

Answer<> Writes::confirm(const ObjectRef& ref, const store::Entry& created,
                         const json::object& object, const std::optional<Namespace>& home) {
  if (home) {
    // Marked before the creation, the namespace may have been swept before it too. Marked after it,
    // it will be.
    const auto now = enter(ref, created.key.name);
    if (!now || now->uid != home->uid) {
      take_back(created, object);
      return now ? refuse(not_found(*api::find_resource("namespaces"), ref.ns))
                 : refuse(now.error());
    }
  }
  auto allowed = check_others(ref, created.key.name, object);
  if (!allowed) take_back(created, object);
  return allowed;
}

Answer<> Writes::check_others(const ObjectRef& ref, const std::string& name,
                              const json::object& object) {
  if (is_in_tier(*ref.kind)) return tiers_.check_exists(object);
  if (!is_pool(*ref.kind)) return {};
  const auto free = known_pools_.check(name, object);
  if (free) return {};
  return refuse(from_error(*ref.kind, name, free.error()));
}

void Writes::take_back(const store::Entry& created, const json::object& object) {
  auto gone = store_.remove(created.key, created.revision);
  // Somebody has changed it meanwhile; as long as it is the same object, it goes.
  while (!gone && gone.error().code == base::ErrorCode::conflict) {
    const auto now = store_.get(created.key);
    if (!now) break;
    const auto place = room_.wait(now->value);
    const auto found = parse_stored(*now);
    if (found && text_at(*found, {"metadata", "uid"}) != text_at(object, {"metadata", "uid"}))
      break;
    gone = store_.remove(created.key, now->revision);
  }
  if (!gone && gone.error().code != base::ErrorCode::conflict &&
      gone.error().code != base::ErrorCode::not_found)
    spdlog::error("{} {}/{} was refused, but is still there: {}", created.key.resource,
                  created.key.ns, created.key.name, gone.error().message);
}

Answer<Written> Writes::create_named(const ObjectRef& ref, json::object object,
                                     const WriteOptions& options) {
  const auto& kind = *ref.kind;
  const auto name = std::string(text_at(object, {"metadata", "name"}));
  std::optional<Namespace> home;
  if (kind.namespaced) {
    MARGAY_TRY(home, enter(ref, name));
  }
  apply_create_rules(kind, object);
  begin_life(object, clock_.wall_time());
  if (const auto allowed = api::check_not_derived(kind, object); !allowed)
    return refuse(from_error(kind, name, allowed.error()));
  if (const auto own = api::check_no_stored_metadata(kind, object); !own)
    return refuse(from_error(kind, name, own.error()));
  auto prepared = api::prepare(kind, std::move(object), options.unknown_fields);
  if (!prepared) return refuse(from_error(kind, name, prepared.error()));
  MARGAY_CHECK(check_forms(ref, name, prepared->object));
  const store::Key key{kind.resource(), ref.ns, name};
  const auto turn_of_pools =
      is_pool(kind) ? std::unique_lock(pool_creation_) : std::unique_lock<std::mutex>();
  const auto turn_of_tiers =
      is_in_tier(kind) ? tiers_.turn_to_create(prepared->object) : Tiers::TurnToCreate();
  const bool is_taken = is_pool(kind) && store_.get(key);
  if (!is_taken) MARGAY_CHECK(check_others(ref, name, prepared->object));
  MARGAY_TRY(auto text, to_stored(kind, prepared->object));
  if (options.dry_run) {
    if (store_.get(key)) return refuse(already_exists(kind, name));
    return Written{{key, std::move(text), 0}, std::move(prepared->warnings)};
  }
  auto created = store_.create(key, std::move(text));
  if (!created) return refuse(from_error(kind, name, created.error()));
  MARGAY_CHECK(confirm(ref, *created, prepared->object, home));
  if (kind.resource() == "namespaces") MARGAY_CHECK(ensure_default_service_account(name));
  return Written{std::move(*created), std::move(prepared->warnings)};
}

Answer<> Writes::ensure_default_service_account(const std::string& ns) {
  const ObjectRef account{.kind = api::find_resource("serviceaccounts"), .ns = ns};
  // Whoever removes one that is there makes it anew.
  if (store_.get({account.kind->resource(), ns, "default"})) return {};
  const auto made = create(account, {{"metadata", {{"name", "default"}}}}, {});
  if (made || made.error().reason == "AlreadyExists") return {};
  return refuse(made.error());
}

// ---- update and patch --------------------------------------------------------------------------

Answer<Written> Writes::update(const ObjectRef& ref, const json::object& object,
                               const WriteOptions& options) {
  const auto make = [&](const json::object& current) -> Answer<json::object> {
    auto made = object;
    if (is_stored_form(*ref.kind)) api::keep_later_fields(*ref.kind, current, made);
    return made;
  };
  return change(ref, {.make = make}, options);
}

Answer<Written> Writes::patch(const ObjectRef& ref, PatchType type, const json::value& patch,
                              const WriteOptions& options) {
  const auto make = [&](const json::object& current) -> Answer<json::object> {
    auto patched = apply_patch(*ref.kind, type, current, patch);
    if (!patched) return refuse(from_error(*ref.kind, ref.name, patched.error()));
    if (!patched->is_object())
      return refuse(bad_request("the patched object would not be an object"));
    return std::move(patched->as_object());
  };
  const auto copies = type == PatchType::json ? api::copies_in(patch) : 0;
  const auto sent = copies == 0 ? 0 : parsed_bytes(json::serialize(patch));
  return change(ref, {.make = make, .copies = copies, .sent_bytes = sent}, options);
}

Answer<Written> Writes::change(const ObjectRef& ref, const Change& wanted,
                               const WriteOptions& options) {
  if (is_stored_form(*ref.kind)) {
    MARGAY_CHECK(check_stored_name(ref));
    MARGAY_TRY(const auto shown, behind(ref));
    const auto make_shown = [&](const json::object& current) -> Answer<json::object> {
      MARGAY_TRY(auto object, wanted.make(api::to_stored_form(*ref.kind, current)));
      MARGAY_CHECK(complete_identity(ref, object));
      return from_stored_form(ref, std::move(object));
    };
    MARGAY_TRY(auto written,
               change(shown, {make_shown, wanted.copies, wanted.sent_bytes}, options));
    return told_as(ref, std::move(written));
  }
  const auto give_up = clock_.now() + k_patience;
  while (clock_.now() < give_up) {
    MARGAY_TRY(auto written, try_change(ref, wanted, options));
    if (written) return std::move(*written);
  }
  return refuse(out_of_patience(ref));
}

// Nothing when another writer was faster.
Answer<std::optional<Written>> Writes::try_change(const ObjectRef& ref, const Change& wanted,
                                                  const WriteOptions& options) {
  const auto& kind = *ref.kind;
  const auto key = key_of(ref);
  auto entry = store_.get(key);
  if (!entry) return refuse(from_error(kind, ref.name, entry.error()));
  MARGAY_TRY(auto place, room_.enter(copied_bytes(parsed_bytes(entry->value) + wanted.sent_bytes,
                                                  wanted.copies)));
  MARGAY_TRY(const auto current, parse_stored(*entry));
  MARGAY_TRY(auto object, wanted.make(current));
  MARGAY_CHECK(complete_identity(ref, object));
  MARGAY_CHECK(check_conditions(ref, *entry, current, object));
  if (ref.status)
    apply_status_rules(kind, current, object);
  else
    apply_update_rules(kind, current, object);
  keep_system_metadata(current, object);
  MARGAY_CHECK(check_finalizers(ref, current, object));

  if (const auto own = api::check_no_stored_metadata(kind, object, current); !own)
    return refuse(from_error(kind, ref.name, own.error()));
  auto prepared = api::prepare(kind, std::move(object), options.unknown_fields);
  if (!prepared) return refuse(from_error(kind, ref.name, prepared.error()));
  if (const auto allowed = api::check_update(kind, current, prepared->object); !allowed)
    return refuse(from_error(kind, ref.name, allowed.error()));
  MARGAY_CHECK(check_forms(ref, ref.name, prepared->object));
  if (prepared->object == current) return Written{std::move(*entry), std::move(prepared->warnings)};
  count_generation(current, prepared->object);
  MARGAY_TRY(auto text, to_stored(kind, prepared->object));
  place.leave();  // whoever hears of a removal may want one
  const bool is_last = is_finished(kind, prepared->object);
  Tiers::TurnToRemove turn;
  if (is_last && is_tier(kind)) {
    turn = tiers_.turn_to_remove();
    MARGAY_CHECK(tiers_.check_unused(ref.name));
  }
  if (options.dry_run)
    return Written{{key, std::move(text), entry->revision}, std::move(prepared->warnings)};

  auto done =
      is_last ? remove_entry(key, entry->revision) : store_.update(key, text, entry->revision);
  if (done && is_last) done->value = std::move(text);  // as it is now, and not as it was
  if (!done && done.error().code == base::ErrorCode::conflict) return std::nullopt;
  if (!done) return refuse(from_error(kind, ref.name, done.error()));
  return Written{std::move(*done), std::move(prepared->warnings)};
}

// ---- delete ------------------------------------------------------------------------------------

Answer<Writes::Removed> Writes::remove(const ObjectRef& ref, const DeleteOptions& options,
                                       bool waits) {
  if (is_stored_form(*ref.kind)) {
    MARGAY_TRY(const auto shown, behind(ref));
    MARGAY_TRY(auto removed, remove(shown, options, waits));
    const auto place = room_.wait(removed.entry.value);
    removed.entry = in_stored_form(*ref.kind, std::move(removed.entry));
    return removed;
  }
  const auto give_up = clock_.now() + k_patience;
  while (clock_.now() < give_up) {
    MARGAY_TRY(auto removed, try_remove(ref, options, waits));
    if (removed) return std::move(*removed);
  }
  return refuse(out_of_patience(ref));
}

Answer<std::optional<Writes::Removed>> Writes::try_remove(const ObjectRef& ref,
                                                          const DeleteOptions& options,
                                                          bool waits) {
  const auto& kind = *ref.kind;
  const auto key = key_of(ref);
  auto entry = store_.get(key);
  if (!entry) return refuse(from_error(kind, ref.name, entry.error()));
  MARGAY_TRY(auto place, waits ? room_.wait(entry->value) : room_.enter(entry->value));
  const auto object = parse_stored(*entry);
  // What cannot be read can be deleted: there is no other way to be rid of it. But not against a
  // condition that nobody can check, and not a namespace, whose objects would stay behind.
  const bool conditional =
      options.uid || options.revision.value_or(entry->revision) != entry->revision;
  if (!object && (conditional || kind.resource() == "namespaces")) return refuse(object.error());
  const auto plan = object ? plan_deletion(kind, *object, options, clock_.wall_time())
                           : Answer<Deletion>(Deletion{.action = Deletion::Action::remove});
  if (!plan) return refuse(plan.error());
  if (plan->action == Deletion::Action::nothing) return Removed{std::move(*entry), false};
  Tiers::TurnToRemove turn;
  if (is_tier(kind)) {
    place.leave();
    turn = tiers_.turn_to_remove();
    MARGAY_CHECK(tiers_.check_unused(ref.name));
  }
  if (plan->action == Deletion::Action::mark) {
    auto marked = mark_deleted(ref, *entry, plan->marked, options.dry_run);
    if (!marked && marked.error().reason == "Conflict") return std::nullopt;
    if (!marked) return refuse(marked.error());
    return std::move(*marked);
  }
  if (options.dry_run) return Removed{std::move(*entry), true};
  place.leave();  // whoever hears of the removal may want one
  auto gone = remove_entry(key, entry->revision);
  if (!gone && gone.error().code == base::ErrorCode::conflict) return std::nullopt;
  if (!gone) return refuse(from_error(kind, ref.name, gone.error()));
  return Removed{std::move(*gone), true};
}

Answer<Writes::Removed> Writes::mark_deleted(const ObjectRef& ref, const store::Entry& entry,
                                             const json::object& marked, bool dry_run) {
  const auto& kind = *ref.kind;
  MARGAY_TRY(auto text, to_stored(kind, marked));
  if (dry_run) return Removed{{entry.key, std::move(text), entry.revision}, false};
  auto updated = store_.update(entry.key, std::move(text), entry.revision);
  if (!updated) return refuse(from_error(kind, ref.name, updated.error()));
  return Removed{std::move(*updated), false};
}

base::Result<store::Entry> Writes::remove_entry(const store::Key& key, store::Revision expected) {
  MARGAY_TRY(auto gone, store_.remove(key, expected));
  if (on_removed_) on_removed_(key);
  return gone;
}

}  // namespace margay::apiserver
