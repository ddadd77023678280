#pragma once

// How many entries of a map that is changed in place change their class at one moment. An entry
// first gets a transition in place of its class: "until generation g this, from then on that".
// Readers know the generation of the snapshot they hold, so nothing has changed for any of them
// before the snapshot of generation g is published, and everything has for each that holds it.
// When no older snapshot is held any more, the entry gets its new class.
//
// One control thread writes; readers get at a transition through the map, which orders it. Classes
// are numbers below k_transition.

#include <cstdint>
#include <vector>

#include "vector/classifier/atom_sets.h"
#include "vector/mapping.h"

namespace margay::vector {

class Transitions {
 public:
  static constexpr uint32_t k_transition = AtomSets::k_most;
  static bool is_transition(uint32_t value) { return (value & k_transition) != 0; }

  Transitions() : table_(k_capacity) {}

  // Workers. `value`: a class, or a transition.
  uint32_t resolve(uint32_t value, uint64_t generation) const {
    while (is_transition(value)) [[unlikely]] {
      const Transition& transition = table_[value & ~k_transition];
      value = generation < transition.generation ? transition.before : transition.after;
    }
    return value;
  }

  // Control thread. `before` may be a transition itself. Throws std::bad_alloc at the limit.
  uint32_t add(uint32_t before, uint32_t after, uint64_t generation);
  // Once no reader can hold its number.
  void release(uint32_t value) { free_.push_back(value & ~k_transition); }
  uint32_t before(uint32_t value) const { return table_[value & ~k_transition].before; }
  uint32_t after(uint32_t value) const { return table_[value & ~k_transition].after; }
  uint64_t generation(uint32_t value) const { return table_[value & ~k_transition].generation; }
  size_t live() const { return used_ - free_.size(); }

 private:
  struct Transition {
    uint32_t before, after;
    uint64_t generation;
  };
  static constexpr uint32_t k_capacity = 1 << 22;

  MappedArray<Transition> table_;
  uint32_t used_ = 0;
  std::vector<uint32_t> free_;
};

}  // namespace margay::vector
