#pragma once

// The search in one rule list: given what every dimension says, the first rule that matches.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "vector/classifier/rule_list.h"

namespace margay::vector {

// The tables' entries for one flow: words when the list is inline, otherwise vectors.
struct DimensionEntries {
  uint64_t source, destination, port, protocol;
  uint64_t source_port, source_named, destination_named;  // that few lists ask about
};

inline constexpr uint8_t k_rare_dimensions =
    1 << k_source_port | 1 << k_source_named | 1 << k_destination_named;

class InlineSearch {
 public:
  InlineSearch(const RuleList& list, const DimensionEntries& e)
      : list_(list),
        bits_(e.source & e.destination & e.port & e.protocol & e.source_port & e.source_named &
              e.destination_named) {}

  // The first rule that matches. There is one: lists end with a rule that matches everything.
  uint32_t first() const { return first(0); }
  // The same, at or behind bit `from`.
  uint32_t first(uint32_t from) const {
    const uint64_t bits = bits_ & ~uint64_t{0} << from;
    return list_.rule_of_bit[static_cast<uint32_t>(std::countr_zero(bits))];
  }

 private:
  const RuleList& list_;
  uint64_t bits_;
};

class VectorSearch {
 public:
  VectorSearch(const RuleList& list, const DimensionEntries& e)
      : list_(list), entries_(e), words_(list.words.load(std::memory_order_acquire)) {}

  uint32_t first() const { return list_.asks_both ? search<true>() : search<false>(); }
  // The same, at or behind the rule `from`.
  uint32_t first(uint32_t from) const {
    return list_.asks_both ? search<true, true>(from) : search<false, true>(from);
  }

 private:
  // Goes through a vector, 64 words at a time.
  class Vector {
   public:
    Vector(const uint64_t* at, uint32_t summaries) : at_(at), next_(2 * uint64_t{summaries}) {}

    // `unasked`: words that count as full.
    void enter(uint32_t s, uint64_t unasked) {
      here_ = next_;
      const uint64_t* summary = at_ + 2 * size_t{s};
      stored_ = summary[0];
      full_ = summary[1] | unasked;
      next_ += static_cast<uint64_t>(std::popcount(stored_));
    }
    uint64_t some() const { return stored_ | full_; }
    // A word that is not zero.
    uint64_t word(uint32_t index) const {
      const uint64_t before = (uint64_t{1} << index) - 1;
      const uint64_t is_full = -(full_ >> index & 1);
      const auto rank = static_cast<uint64_t>(std::popcount(stored_ & before));
      return at_[(here_ + rank) & ~is_full] | is_full;
    }

   private:
    const uint64_t* at_;
    uint64_t next_, here_ = 0;  // indexes
    uint64_t stored_ = 0, full_ = 0;
  };

  template <bool k_both, bool k_resumes = false>
  uint32_t search(uint32_t from = 0) const {
    uint32_t best = k_resumes ? first_unconditional(from) : list_.unconditional[0];
    const auto summaries = static_cast<uint32_t>(list_.unasked.size());
    const bool by_destination = list_.peer_is_destination;
    Vector peer(words_ + (by_destination ? entries_.destination : entries_.source), summaries);
    Vector port(words_ + entries_.port, summaries);
    Vector destination(words_ + entries_.destination, summaries);
    const uint64_t* protocol = words_ + entries_.protocol;
    for (uint32_t s = 0; s < summaries; ++s) {
      const RuleList::Unasked& unasked = list_.unasked[s];
      peer.enter(s, by_destination ? unasked.destination : unasked.source);
      port.enter(s, unasked.port);
      uint64_t words = peer.some() & port.some();
      if constexpr (k_both) {
        destination.enter(s, unasked.destination);
        words &= destination.some();
      }
      while (words != 0) {
        const auto index = static_cast<uint32_t>(std::countr_zero(words));
        const uint32_t word = s * 64 + index;
        words &= words - 1;
        const auto [group_end, first_rule] = list_.word_places[word];
        if (first_rule >= best) continue;
        const uint32_t* rules = &list_.rule_of_bit[size_t{word} * 64];
        uint64_t bits = peer.word(index) & port.word(index) & protocol[word];
        if constexpr (k_both) bits &= destination.word(index);
        if constexpr (k_resumes) bits &= bits_behind(rules, from);
        if ((list_.asks & k_rare_dimensions) != 0 && bits != 0) bits &= rare_bits(word);
        if (bits == 0) continue;
        if (const uint32_t rule = rules[std::countr_zero(bits)]; rule < best) best = rule;
        // What follows in its group is behind it.
        const uint32_t end = group_end - s * 64;
        words = end < 64 ? words & ~uint64_t{0} << end : 0;
      }
    }
    return best;
  }

  uint32_t first_unconditional(uint32_t from) const {
    return *std::ranges::lower_bound(list_.unconditional, from);
  }

  uint64_t rare_bits(uint32_t word) const {
    uint64_t bits = ~uint64_t{0};
    const auto summaries = static_cast<uint32_t>(list_.unasked.size());
    for (const uint64_t entry :
         {entries_.source_port, entries_.source_named, entries_.destination_named}) {
      Vector vector(words_ + entry, summaries);
      for (uint32_t s = 0; s <= word / 64; ++s) vector.enter(s, 0);
      const bool is_zero = (vector.some() >> word % 64 & 1) == 0;
      bits &= is_zero ? 0 : vector.word(word % 64);
    }
    return bits;
  }

  static uint64_t bits_behind(const uint32_t* rules, uint32_t from) {
    const auto skipped = std::lower_bound(rules, rules + 64, from) - rules;
    return skipped == 64 ? 0 : ~uint64_t{0} << skipped;
  }

  const RuleList& list_;
  const DimensionEntries& entries_;
  const uint64_t* words_;
};

}  // namespace margay::vector
