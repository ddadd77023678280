#include "vector/classifier/rule_groups.h"

#include <algorithm>
#include <array>
#include <map>

namespace margay::vector {
namespace {

// Half a word: a group wastes less than it has.
constexpr uint32_t k_many = 32;

// The dimensions, and a question of each: an atom + 1, or 0 for none that many ask.
using Key = std::array<uint32_t, 4>;

class Popularity {
 public:
  void count(uint32_t atom) {
    if (atom >= asked_.size()) asked_.resize(2 * atom + 1);
    ++asked_[atom];
  }
  uint32_t popular(std::span<const uint32_t> atoms) const {
    for (const uint32_t atom : atoms)
      if (asked_[atom] >= k_many) return atom + 1;
    return 0;
  }

 private:
  std::vector<uint32_t> asked_;
};

std::span<const uint32_t> as_span(const std::optional<uint32_t>& atom) {
  return atom ? std::span(&*atom, 1) : std::span<const uint32_t>();
}

}  // namespace

std::vector<uint32_t> group_by_question(std::span<const GroupAsks> asks) {
  std::array<Popularity, 3> popularity;
  for (const GroupAsks& each : asks) {
    for (const uint32_t atom : each.source) popularity[0].count(atom);
    for (const uint32_t atom : each.destination) popularity[1].count(atom);
    if (each.port) popularity[2].count(*each.port);
  }
  std::vector<Key> keys;
  std::map<Key, uint32_t> sizes;
  for (const GroupAsks& each : asks) {
    keys.push_back({each.dimensions, popularity[0].popular(each.source),
                    popularity[1].popular(each.destination),
                    popularity[2].popular(as_span(each.port))});
    ++sizes[keys.back()];
  }
  // Small groups give up a question: first of the port, at last of the source.
  for (size_t question = 3; question > 0; --question)
    for (Key& key : keys) {
      uint32_t& size = sizes[key];
      if (key[question] == 0 || size >= k_many) continue;
      --size;
      key[question] = 0;
      ++sizes[key];
    }
  std::map<Key, uint32_t> numbers;
  std::vector<uint32_t> groups;
  groups.reserve(keys.size());
  for (const Key& key : keys)
    groups.push_back(numbers.try_emplace(key, static_cast<uint32_t>(numbers.size())).first->second);
  return groups;
}

}  // namespace margay::vector
