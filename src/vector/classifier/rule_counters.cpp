#include "vector/classifier/rule_counters.h"

namespace margay::vector {

uint32_t RuleCounters::use(const std::string& id, const std::string& place) {
  const auto [found, is_new] = by_id_.try_emplace(id, bound());
  if (is_new) {
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      found->second = free_.back();
      free_.pop_back();
    }
    entries_[found->second] = {id, place, 0};
    assigned_.push_back(found->second);
  }
  ref(found->second);
  return found->second;
}

void RuleCounters::unref(uint32_t index) {
  if (--entries_[index].references > 0) return;
  by_id_.erase(entries_[index].id);
  entries_[index] = {};
  free_.push_back(index);
}

}  // namespace margay::vector
