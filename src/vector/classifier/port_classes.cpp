#include "vector/classifier/port_classes.h"

#include <algorithm>

namespace margay::vector {

PortClasses::Table::~Table() {
  for (const uint32_t each : classes) sets.unref(each);
}

PortClasses::PortClasses() : class_of_(k_values, AtomSets::k_empty) {
  for (size_t i = 0; i < k_values; ++i) sets_.ref(AtomSets::k_empty);
  current_ = make();
}

void PortClasses::change(const std::vector<policy::PortRange>& ranges, auto changed) {
  uint32_t from = sets_.ref(AtomSets::k_empty),
           to = changed(from);  // neighbours mostly change alike
  for (const policy::PortRange range : ranges)
    for (size_t value = range.first; value <= range.last; ++value) {
      if (class_of_[value] != from) {
        sets_.unref(from);
        sets_.unref(to);
        from = sets_.ref(class_of_[value]);
        to = changed(from);
      }
      sets_.unref(std::exchange(class_of_[value], sets_.ref(to)));
    }
  sets_.unref(from);
  sets_.unref(to);
  is_dirty_ = true;
}

void PortClasses::add(uint32_t atom, const std::vector<policy::PortRange>& ranges) {
  change(ranges, [&](uint32_t set) { return sets_.with(set, atom); });
}

void PortClasses::remove(uint32_t atom, const std::vector<policy::PortRange>& ranges) {
  change(ranges, [&](uint32_t set) { return sets_.without(set, atom); });
}

std::shared_ptr<const PortClasses::Table> PortClasses::make() {
  auto table = std::make_shared<Table>(sets_);
  std::ranges::copy(class_of_, table->class_of.begin());
  std::vector<bool> seen(sets_.bound());
  for (const uint32_t each : class_of_) {
    if (seen[each]) continue;
    seen[each] = true;
    table->classes.push_back(sets_.ref(each));
  }
  is_dirty_ = false;
  return table;
}

}  // namespace margay::vector
