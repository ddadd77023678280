#pragma once

// A rule list (vector/classifier/rule_list.h) with what the control thread needs to make it, and to
// enter classes that come later. Control thread only; to be destroyed when no worker reads it.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vector/classifier/dimension_index.h"
#include "vector/classifier/rule_atoms.h"
#include "vector/classifier/rule_counters.h"
#include "vector/classifier/rule_list.h"

namespace margay::vector {

// A list in order. `resolved` is null for what matches everything: ends of tiers and lists. Nothing
// of it is kept.
struct ListedRule {
  const ResolvedRule* resolved = nullptr;
  uint32_t counter = 0;  // with a reference, which goes to the compiled list
  policy::Action action = policy::Action::deny;
  DecidedBy by = DecidedBy::no_profile_matched;
  uint32_t resume = 0;  // Pass, Log
};

class CompiledRuleList {
 public:
  CompiledRuleList(std::span<const ListedRule> rules, const RuleAtoms& atoms,
                   RuleCounters& counters, Rcu& rcu);
  ~CompiledRuleList();
  CompiledRuleList(const CompiledRuleList&) = delete;
  CompiledRuleList& operator=(const CompiledRuleList&) = delete;

  const RuleList& readers() const { return readers_; }

  // A class of the dimension's kind of values that no snapshot had before.
  void enter(Dimension dimension, uint32_t set, std::span<const uint32_t> atoms);
  // Classes that came and went have left too much behind.
  bool wants_rebuild() const { return later_ > at_first_ + k_spare; }
  size_t memory() const;

 private:
  static constexpr size_t k_spare = 32768;

  struct Conjunction {
    const ResolvedRule* rule;  // null: matches everything
    uint32_t position;         // of the rule in the list
    uint32_t bit;
    uint8_t asks;                              // as RuleList::Group
    uint16_t source_named, destination_named;  // which of the rule's named ports; 0: numbered
  };
  struct Table {
    std::shared_ptr<void> entries;
    size_t capacity = 0;
  };

  static bool asks_anything(const Conjunction& conjunction);
  std::vector<Conjunction> expand(std::span<const ListedRule> rules) const;
  void place(std::vector<Conjunction>& conjunctions);
  void place_in_groups(std::vector<Conjunction>& conjunctions);
  void list_rules(std::span<const ListedRule> rules, std::span<const Conjunction> conjunctions);
  void index(std::span<const Conjunction> conjunctions);
  void enter_all(Dimension dimension, const AtomSets& sets);
  void make_protocols(std::span<const Conjunction> conjunctions);
  std::vector<uint64_t> protocol_bits(std::span<const Conjunction> conjunctions,
                                      base::IPFamily family, std::optional<uint8_t> protocol) const;

  void reserve(Dimension dimension, size_t entries);
  void store(Dimension dimension, uint32_t set, uint64_t value);
  uint32_t add_vector(std::span<const BitWord> words);
  uint32_t add_words(std::span<const uint64_t> words);
  uint64_t used_bits(uint32_t word) const;
  uint32_t allocate(size_t words);
  void fit_words(size_t capacity);

  RuleCounters& counters_;
  Rcu& rcu_;
  RuleList readers_;
  uint32_t bits_ = 0;  // with the gaps between groups
  std::array<std::optional<DimensionIndex>, k_dimensions> indexes_;
  std::array<Table, k_dimensions> tables_;
  std::shared_ptr<uint64_t[]> words_;
  size_t words_capacity_ = 0, words_used_ = 0;
  size_t at_first_ = 0, later_ = 0;  // bytes: as compiled, and for what was entered since
  std::vector<uint32_t> projection_;
};

}  // namespace margay::vector
