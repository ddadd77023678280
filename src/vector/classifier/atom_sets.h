#pragma once

// Sets of atoms, each distinct set stored once and named by a small number. An atom is something
// that a rule can ask of a value ("is the address in this set?"); the atoms that hold for a value
// are its class, so that a class is the number of an atom set.
//
// Control thread only. A set lives while it has references; the number of a dead set is used again.

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

namespace margay::vector {

class AtomSets {
 public:
  static constexpr uint32_t k_empty = 0;       // always alive
  static constexpr uint32_t k_most = 1 << 23;  // then std::bad_alloc is thrown

  AtomSets();
  AtomSets(const AtomSets&) = delete;
  AtomSets& operator=(const AtomSets&) = delete;

  // The set with this atom more, or less. Comes with a reference that the caller drops.
  uint32_t with(uint32_t set, uint32_t atom);
  uint32_t without(uint32_t set, uint32_t atom);
  // Both together, the same way.
  uint32_t united(uint32_t a, uint32_t b);

  uint32_t ref(uint32_t set) {
    ++sets_[set].references;
    return set;
  }
  void unref(uint32_t set);

  // True the first time it is called in the life of a set; never for the empty one.
  bool first_use(uint32_t set) { return set != k_empty && !std::exchange(sets_[set].used, true); }
  // The living sets whose first use was, and the empty one.
  template <typename Visit>
  void each_used(Visit visit) const {
    for (uint32_t set = 0; set < bound(); ++set)
      if (sets_[set].used && alive(set)) visit(set);
  }

  // Ascending.
  std::span<const uint32_t> atoms(uint32_t set) const { return sets_[set].atoms; }
  bool has(uint32_t set, uint32_t atom) const;
  bool alive(uint32_t set) const { return sets_[set].references > 0; }
  // Every number ever given is below.
  uint32_t bound() const { return static_cast<uint32_t>(sets_.size()); }
  // Without the empty one.
  size_t live() const { return by_content_.size() - 1; }
  size_t memory() const;

 private:
  struct Entry {
    std::vector<uint32_t> atoms;
    uint32_t references = 0;
    bool used = false;
  };
  struct Content {
    using is_transparent = void;
    const AtomSets* sets;
    std::span<const uint32_t> of(uint32_t set) const { return sets->atoms(set); }
    std::span<const uint32_t> of(std::span<const uint32_t> atoms) const { return atoms; }
    size_t operator()(auto key) const;
    bool operator()(auto a, auto b) const;
  };

  uint32_t intern(std::span<const uint32_t> atoms);

  std::vector<Entry> sets_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> scratch_;
  std::unordered_set<uint32_t, Content, Content> by_content_;
};

}  // namespace margay::vector
