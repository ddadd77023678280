#pragma once

// Which class a 16-bit value is of: the lists of ranges that contain it. Used for ports (of both
// sides), and for ICMP with type << 8 | code.
//
// The control thread changes a copy of its own; `publish` makes a new table for workers.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "policy/model.h"
#include "vector/classifier/atom_sets.h"

namespace margay::vector {

class PortClasses {
 public:
  static constexpr size_t k_values = 65536;

  // What workers read. It keeps its classes alive, so it must go before its PortClasses, and on the
  // control thread.
  struct Table {
    explicit Table(AtomSets& all) : sets(all) {}
    ~Table();
    std::array<uint32_t, k_values> class_of;
    AtomSets& sets;
    std::vector<uint32_t> classes;
  };

  PortClasses();

  void add(uint32_t atom, const std::vector<policy::PortRange>& ranges);
  void remove(uint32_t atom, const std::vector<policy::PortRange>& ranges);

  const Table& current() const { return *current_; }
  // The table that was current, if there is a new one: to be kept until no worker reads it.
  // `use(class)` is called for each class of the new one.
  std::shared_ptr<const Table> publish(auto use) {
    if (!is_dirty_) return nullptr;
    std::shared_ptr<const Table> table = make();
    for (const uint32_t each : table->classes) use(each);
    std::swap(current_, table);
    return table;
  }

  AtomSets& sets() { return sets_; }
  const AtomSets& sets() const { return sets_; }

 private:
  void change(const std::vector<policy::PortRange>& ranges, auto changed);
  std::shared_ptr<const Table> make();

  AtomSets sets_;
  std::vector<uint32_t> class_of_;  // one reference for each value
  bool is_dirty_ = false;
  std::shared_ptr<const Table> current_;
};

}  // namespace margay::vector
