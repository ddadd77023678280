#include "ipam/handles.h"

#include "ipam/names.h"

namespace margay::ipam {

using base::Prefix;
using base::Result;

Handles::Handles(store::Store& store) : records_(store, k_handles) {}

Result<Handles::Handle> Handles::read(std::string_view handle_id) const {
  std::optional<std::string> free_name;
  for (const auto& name : handle_names(handle_id)) {
    MARGAY_TRY(auto found, records_.find(name));
    if (found && found->object.spec.handle_id == handle_id) return *std::move(found);
    if (!found && !free_name) free_name = name;
  }
  if (!free_name) {
    return base::fail(base::ErrorCode::internal,
                      "handle " + std::string(handle_id) + ": others have all its names");
  }
  Handle none;
  none.object.metadata.name = *std::move(free_name);
  none.object.spec.handle_id = handle_id;
  return none;
}

int64_t Handles::count(const Handle& handle, const Prefix& block) {
  const auto& counts = handle.object.spec.block;
  const auto found = counts.find(block.to_string());
  return found == counts.end() ? 0 : found->second;
}

std::optional<store::Write> Handles::set_count(Handle handle, const Prefix& block,
                                               int64_t count) const {
  auto& counts = handle.object.spec.block;
  const int64_t before = Handles::count(handle, block);
  if (count > 0) {
    counts[block.to_string()] = count;
  } else {
    counts.erase(block.to_string());
  }
  const bool is_new = handle.revision == 0;
  if (counts.empty()) return is_new ? std::nullopt : std::optional(records_.removal(handle));
  if (is_new) return records_.creation(handle.object);
  if (count == before) touch(handle);
  return records_.change(handle);
}

}  // namespace margay::ipam
