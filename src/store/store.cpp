#include "store/store.h"

#include <boost/json/object.hpp>

#include "api/codec.h"
#include "api/patch.h"

namespace margay::store {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::Result;

constexpr int k_patch_attempts = 20;

const json::object* metadata_of(const json::value& object) {
  const auto* fields = object.if_object();
  const auto* metadata = fields == nullptr ? nullptr : fields->if_contains("metadata");
  return metadata == nullptr ? nullptr : metadata->if_object();
}

const json::value* in_metadata(const json::value& object, std::string_view name) {
  const auto* metadata = metadata_of(object);
  return metadata == nullptr ? nullptr : metadata->if_contains(name);
}

// Nothing: others were faster, and the patch does not mind.
Result<std::optional<Entry>> try_patch(Store& store, const Key& key, const json::value& patch) {
  MARGAY_TRY(const Entry current, store.get(key));
  MARGAY_TRY(const auto object, api::parse_json(current.value));
  const auto* revision = in_metadata(patch, "resourceVersion");
  const auto* uid = in_metadata(patch, "uid");
  const auto* current_uid = in_metadata(object, "uid");
  if ((revision != nullptr && *revision != json::value(std::to_string(current.revision))) ||
      (uid != nullptr && (current_uid == nullptr || *uid != *current_uid))) {
    return base::fail(ErrorCode::conflict, key.resource + " " + key.name + " has changed");
  }
  json::value merged = api::apply_merge_patch(object, patch);
  if (revision != nullptr) merged.at("metadata").as_object().erase("resourceVersion");
  auto written = store.update(key, api::to_json(merged), current.revision);
  if (written) return std::optional(*std::move(written));
  if (written.error().code == ErrorCode::conflict && revision == nullptr) return std::nullopt;
  return base::fail(std::move(written).error());
}

}  // namespace

Result<std::vector<Entry>> Store::write(const std::vector<Write>& writes) {
  std::vector<Entry> entries;
  entries.reserve(writes.size());
  for (const auto& [type, key, value, expected] : writes) {
    MARGAY_TRY(entries.emplace_back(), type == Write::Type::create   ? create(key, value)
                                       : type == Write::Type::update ? update(key, value, expected)
                                                                     : remove(key, expected));
  }
  return entries;
}

Result<Entry> Store::patch_status(const Key& key, const std::string& patch) {
  MARGAY_TRY(const auto value, api::parse_json(patch));
  if (!value.is_object()) return base::fail(ErrorCode::invalid, "the patch is not an object");
  for (int attempt = 0; attempt < k_patch_attempts; ++attempt) {
    MARGAY_TRY(auto patched, try_patch(*this, key, value));
    if (patched) return *std::move(patched);
  }
  return base::fail(ErrorCode::conflict, key.name + ": changed by others each time");
}

}  // namespace margay::store
