#pragma once

// Which conjunctions of a long rule list stand together (vector/classifier/rule_list.h). Those in
// one group ask about the same of source, destination and destination port, and where many ask the
// very same question of one of them, they have groups of their own: there, its answer is the same
// for whole words, and does not hide what the other dimensions tell.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace margay::vector {

struct GroupAsks {
  uint8_t dimensions = 0;
  std::span<const uint32_t> source, destination;  // atoms
  std::optional<uint32_t> port;                   // atom
};

// The group of each, from 0, in the order in which groups first appear.
std::vector<uint32_t> group_by_question(std::span<const GroupAsks> asks);

}  // namespace margay::vector
