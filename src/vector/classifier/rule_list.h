#pragma once

// The rules that an endpoint enforces in one direction, as workers read them. The control thread
// makes one (vector/classifier/rule_list_builder.h) and changes of it only what no reader looks
// at: entries of classes that no published snapshot gives yet.
//
// A rule becomes one or more conjunctions: numbered ports or named ones, on each side, are
// alternatives, and each gets a bit. For every dimension there is a table from the value's class to
// the bits of the conjunctions that hold there; the first bit of the AND decides.
//
// Up to 64 bits, a table holds the words themselves. In longer lists bits are grouped by what they
// ask: by which of source, destination and destination port (or ICMP), and by the very question
// where many ask the same. A group starts with a new word, and its bits are in the rules' order. So
// a class has few words that are not zero in its dimension, and only these are stored: a table
// holds the index in `words` of a vector, which is
//   for every 64 words of bits: which are stored, and which are full and not stored; others are 0;
//   the stored words, without those of groups that do not ask about the dimension.
// (Protocols are few: theirs are just all words.)
// The AND of the former leaves few words to look at, however many rules there are.

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "policy/model.h"

namespace margay::vector {

enum Dimension : uint8_t {
  k_source,
  k_destination,
  k_destination_port,
  k_icmp,  // in place of k_destination_port, when the packet is ICMP
  k_protocol,
  k_source_port,
  k_source_named,
  k_destination_named,
  k_dimensions,
};

inline constexpr uint32_t k_protocols = 512;  // IPv6 << 8 | protocol
inline uint32_t protocol_class(uint8_t family, uint8_t protocol) {
  return (family == 6 ? 256u : 0u) | protocol;
}

enum class DecidedBy : uint8_t {
  policy_rule,
  end_of_tier,
  profile_rule,
  no_profile_matched,
  missing_policy,    // a policy or profile that the endpoint lists has not come yet
  endpoint_down,     // no rule was asked
  unknown_endpoint,  // likewise
  not_asked,         // no endpoint of ours on this side, or the other side denied before
};

struct RuleList {
  static constexpr uint32_t k_inline_bits = 64;
  static constexpr uint32_t k_no_rule = std::numeric_limits<uint32_t>::max();

  struct Rule {
    uint32_t counter;  // index of its counter (vector/classifier/rule_counters.h)
    uint32_t resume;   // Pass, Log: the rule where the search goes on; inline: its first bit
    policy::Action action;
    DecidedBy by;
  };
  struct WordPlace {
    uint32_t group_end;   // the word behind the last of its group
    uint32_t first_rule;  // of its first bit
  };
  // Of 64 words: those whose group does not ask about source, destination, destination port.
  struct Unasked {
    uint64_t source, destination, port;
  };

  bool is_inline = true;
  uint8_t asks = 0;  // a bit for each dimension; others need no lookup
  // uint64_t words, or uint32_t vectors. A dimension that is not asked has a single entry.
  std::array<std::atomic<const void*>, k_dimensions> tables;
  std::array<uint32_t, k_dimensions> masks{};  // of the class: 0 when not asked
  std::atomic<const uint64_t*> words{nullptr};
  uint32_t ones = 0;  // a vector of nothing but ones
  // Most lists ask about one of the addresses only: the peer's.
  bool asks_both = false;
  bool peer_is_destination = false;
  std::vector<Unasked> unasked;
  std::vector<WordPlace> word_places;
  std::vector<uint32_t> unconditional;  // rules that match everything: they have no bits
  std::vector<uint32_t> rule_of_bit;    // k_no_rule in the rest of a group's last word
  std::vector<Rule> rules;

  bool asks_about(Dimension dimension) const { return (asks >> dimension & 1) != 0; }
};

}  // namespace margay::vector
