#include "store/store.h"

namespace margay::store {

base::Result<std::vector<Entry>> Store::write(const std::vector<Write>& writes) {
  std::vector<Entry> entries;
  entries.reserve(writes.size());
  for (const auto& [type, key, value, expected] : writes) {
    MARGAY_TRY(entries.emplace_back(), type == Write::Type::create   ? create(key, value)
                                       : type == Write::Type::update ? update(key, value, expected)
                                                                     : remove(key, expected));
  }
  return entries;
}

}  // namespace margay::store
