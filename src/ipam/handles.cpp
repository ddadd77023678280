#include "ipam/handles.h"

#include <algorithm>

#include "ipam/attempts.h"
#include "ipam/names.h"

namespace margay::ipam {

using base::Prefix;
using base::Result;

Handles::Handles(store::Store& store) : records_(store, k_handles) {}

Result<std::optional<Record<api::IPAMHandle>>> Handles::find(std::string_view handle_id) const {
  return records_.find(handle_name(handle_id));
}

Result<> Handles::count(std::string_view handle_id, const Prefix& block, int64_t change,
                        int64_t least) const {
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(auto record, find(handle_id));
    const int64_t before = record ? record->object.spec.block[block.to_string()] : 0;
    const auto written = set(handle_id, std::move(record), block, std::max(before + change, least));
    if (written || !lost_race(written.error())) return written;
  }
  return Attempts::exhausted("handle " + std::string(handle_id));
}

Result<> Handles::set(std::string_view handle_id, std::optional<Record<api::IPAMHandle>> record,
                      const Prefix& block, int64_t count) const {
  const bool is_new = !record;
  if (is_new) {
    record.emplace();
    record->object.metadata.name = handle_name(handle_id);
    record->object.spec.handle_id = handle_id;
  }
  auto& counts = record->object.spec.block;
  if (count > 0) {
    counts[block.to_string()] = count;
  } else {
    counts.erase(block.to_string());
  }
  if (counts.empty()) return is_new ? Result<>() : records_.remove(*record);
  if (!is_new) return records_.update(*record);
  MARGAY_CHECK(records_.create(std::move(record->object)));
  return {};
}

}  // namespace margay::ipam
