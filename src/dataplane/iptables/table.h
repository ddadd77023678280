#pragma once

// One iptables table of one family: the desired chains, what is known to be in the kernel, and the
// least that has to be written to get from one to the other. TableGroup does the reading and
// writing.
//
// Owns every chain whose name begins with "cali-", and in the kernel's own chains the rules that
// carry our comment (or jump to a chain of ours): these stand first, in the given order, or last
// where the operator wants it so. Nothing else is touched. A chain is written whole or not at all,
// all touched chains of the table in one atomic iptables-restore, so no packet ever sees half of a
// change. One thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dataplane/difference.h"
#include "dataplane/iptables/chain.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/refused_rules.h"
#include "dataplane/iptables/saved_table.h"

namespace margay::dataplane::iptables {

class Table {
 public:
  explicit Table(std::string name, InsertMode mode = InsertMode::insert)
      : name_(std::move(name)), mode_(mode) {}

  const std::string& name() const { return name_; }

  void set_chain(const Chain& chain);
  void remove_chain(const std::string& name);
  // The rules of ours in a chain that the kernel made ("FORWARD"). None: removes them.
  void set_insertions(const Chain& kernel_chain);

  // What the kernel has; then the table is known until unlearn().
  void learn(SavedTable saved);
  // The kernel has this chain too, and it is empty.
  void learn_empty_chain(const std::string& name);
  bool is_known() const { return actual_.has_value(); }
  // Whether the kernel has the chain, with rules in it, as far as is known.
  bool has_rules(const std::string& name) const;
  // Whether a chain that the kernel made has a rule of ours, as far as is known.
  bool leads_to_ours(const std::string& kernel_chain) const;
  // What is there must be read again.
  void unlearn() { actual_.reset(); }

  // The table's part of the input of iptables-restore; empty: there is nothing to do. Of a table
  // that is known.
  std::string difference() const;
  // The same for people: chains and what is wrong with each.
  Differences differences() const;
  // It was written.
  void assume_written();

  // The chains of which the difference consists that may be at fault by themselves.
  // Those last that were refused before, so that a search that ends early finds others.
  std::vector<SuspectChain> suspects() const;
  // From now on it drops every packet, until it is set to something else or allowed again.
  void refuse(RefusedChain chain);
  void allow(const std::string& chain);
  // By chain.
  const std::map<std::string, RefusedChain>& refused() const { return refused_; }
  // The chains that stand alone with a rule that has one of these words in it, each with the first.
  using Words = std::unordered_set<std::string_view>;
  std::vector<std::pair<std::string, std::string_view>> chains_with_any(const Words& words) const;

 private:
  using Hashes = std::vector<std::string>;
  struct Desired {
    std::vector<HashedRule> rules;
    bool stands_alone = false;
  };
  struct Actual {
    std::map<std::string, Hashes, std::less<>> chains;  // ours
    std::map<std::string, std::vector<SavedRule>, std::less<>> kernel_chains;
  };

  // What the chain is to have now; null: it is not to be there.
  const std::vector<HashedRule>* wanted(const std::string& name) const;
  void add_chain_difference(const std::string& name, std::string& declared, std::string& rules,
                            std::string& removed) const;
  void add_insertions_difference(const std::string& name, std::string& rules) const;

  std::string name_;
  InsertMode mode_;
  std::map<std::string, Desired> chains_;
  std::map<std::string, RefusedChain> refused_;
  std::map<std::string, std::vector<HashedRule>> closed_;  // what the refused ones have instead
  std::set<std::string> suspected_;  // refused before, as they still are: tried last
  std::map<std::string, std::vector<HashedRule>> insertions_;
  std::set<std::string> dirty_chains_;  // may differ from actual
  std::set<std::string> dirty_insertions_;
  std::optional<Actual> actual_;
};

}  // namespace margay::dataplane::iptables
