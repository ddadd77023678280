#include "apiserver/local_store.h"

#include "api/codec.h"
#include "apiserver/namespace_sweeper.h"
#include "apiserver/object.h"
#include "apiserver/tiers.h"
#include "store/kubernetes/status.h"

namespace margay::apiserver {
namespace {

using base::fail;
using base::Result;

base::Error to_error(const Status& status) {
  return store::kubernetes::to_error(status.to_object(), static_cast<unsigned>(status.code));
}

Result<ObjectRef> ref_of(const store::Key& key) {
  const auto* kind = api::find_resource(key.resource);
  if (kind == nullptr)
    return fail(base::ErrorCode::unsupported, "unknown resource \"" + key.resource + "\"");
  return ObjectRef{.kind = kind, .ns = key.ns, .name = key.name};
}

Result<json::object> parse_object(std::string_view text) {
  MARGAY_TRY(auto value, api::parse_json(text));
  if (!value.is_object()) return fail(base::ErrorCode::invalid, "not a JSON object");
  return std::move(value.get_object());
}

}  // namespace

LocalStore::LocalStore(std::unique_ptr<store::Store> store)
    : store_(std::move(store)),
      reads_(*store_, room_, StoredFormStore::Busy::wait),
      writes_(*store_, clock_, room_) {}

Result<> LocalStore::prepare() {
  const std::lock_guard lock(preparing_);
  if (is_prepared_) return {};
  for (const auto& restored : {restore_namespaces(*store_, writes_), restore_tiers(writes_)})
    if (!restored) return fail(to_error(restored.error()));
  is_prepared_ = true;
  return {};
}

Result<store::Entry> LocalStore::get(const store::Key& key) { return reads_.get(key); }

Result<store::List> LocalStore::list(const store::Scope& scope, const store::ListOptions& options) {
  return reads_.list(scope, options);
}

Result<store::Entry> LocalStore::create(const store::Key& key, std::string value) {
  MARGAY_CHECK(prepare());
  MARGAY_TRY(const auto ref, ref_of(key));
  MARGAY_TRY(auto object, parse_object(value));
  metadata_of(object).erase("resourceVersion");
  auto written = writes_.create(ref, std::move(object), {});
  if (!written) return fail(to_error(written.error()));
  return std::move(written->entry);
}

Result<store::Entry> LocalStore::update(const store::Key& key, std::string value,
                                        std::optional<store::Revision> expected) {
  MARGAY_CHECK(prepare());
  MARGAY_TRY(const auto ref, ref_of(key));
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
