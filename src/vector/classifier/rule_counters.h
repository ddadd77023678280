#pragma once

// Numbers for what can decide: rules by their id, and the ends of tiers and lists. Workers count by
// these numbers in arrays of their own; `show` and metrics name them. Equal ids share a number.
// Control thread only; a number is given again once nothing that a worker sees has it.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace margay::vector {

class RuleCounters {
 public:
  struct Entry {
    std::string id;     // of the rule: stable across restarts
    std::string place;  // "policy default/a ingress", "end of tier default": for people
    uint32_t references = 0;
  };

  // With one reference more.
  uint32_t use(const std::string& id, const std::string& place);
  void ref(uint32_t index) { ++entries_[index].references; }
  void unref(uint32_t index);

  const Entry& operator[](uint32_t index) const { return entries_[index]; }
  // Workers' arrays need this many; it never gets smaller.
  uint32_t bound() const { return static_cast<uint32_t>(entries_.size()); }
  size_t live() const { return by_id_.size(); }
  // Those that have been given since the last call: what was counted under them before belongs to
  // others.
  std::vector<uint32_t> take_assigned() { return std::exchange(assigned_, {}); }

 private:
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> assigned_;
  std::unordered_map<std::string, uint32_t> by_id_;
};

}  // namespace margay::vector
