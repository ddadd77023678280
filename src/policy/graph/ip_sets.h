#pragma once

// The contents of the sets that active rules name: which addresses, nets and named ports belong to
// what satisfies a selector, anywhere in the cluster.

#include <boost/container/flat_set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address_hash.h"
#include "base/secret_hash.h"
#include "base/symbol_table.h"
#include "policy/compile_rules.h"
#include "policy/program.h"
#include "policy/rules_cost.h"
#include "selector/label_index.h"

namespace margay::policy {

class IPSets {
 public:
  // What an endpoint or a network set brings into the sets that choose it.
  struct Contribution {
    std::vector<Prefix> nets;
    std::vector<NamedPort> ports;  // of every net, which then is an address
    bool operator==(const Contribution&) const = default;
  };
  struct Difference {
    std::vector<Delta> updates;        // SetUpdate, SetDelta
    std::vector<std::string> removed;  // ids
  };

  IPSets();
  ~IPSets();

  // True when the item is new.
  bool set_item(const std::string& id, Contribution contribution, const Labels& labels,
                const std::vector<std::string>& profiles);
  // False when there was none.
  bool remove_item(const std::string& id);
  void set_profile_labels(const std::string& profile, const Labels& labels);
  void remove_profile_labels(const std::string& profile);

  // A set's members are kept while it has been acquired more often than released.
  void acquire(const SetSpec& spec);
  void release(const std::string& id);
  // How many members a set has is known, at no memory for each, while it has been followed more
  // often than not. What two items bring counts twice.
  void follow(const SetSpec& spec);
  void unfollow(const std::string& id);
  // What it takes to follow a set of this kind, among the items as they are; its members are known
  // when it is followed.
  RulesCost cost_of_following(const SetSpec& spec);
  size_t item_count() const { return item_ids_.size(); }
  // Ids of followed sets whose sizes may have changed since the last call, new ones among them.
  std::vector<std::string> take_resized();
  // As of the last take_resized().
  size_t size_of(const std::string& id) const { return sets_.at(id).size; }

  // How the sets differ from those at the last call. Sets nobody needs any more are dropped here,
  // not before, so that a set that changes hands keeps its contents.
  Difference take_difference();
  // Sets whose members are kept.
  size_t stored_count() const { return stored_; }

 private:
  struct MemberHash {
    size_t operator()(const SetMember& member) const {
      return of_net(member.net) * 31 + member.port;
    }
    base::AddressHash of_net;
  };
  struct ActiveSet {
    SetSpec spec;
    size_t users = 0, followers = 0;
    size_t size = 0;         // members, counted as often as they are brought
    bool is_filled = false;  // what matches has been looked for
    bool is_stored = false;  // its members are kept
    bool is_resized = false;
    bool known = false;  // to whoever takes the differences
    // How many items bring each member. Overlapping items share members.
    boost::unordered_flat_map<SetMember, uint32_t, MemberHash> members;
    std::set<SetMember> toggled;  // since the last difference: came or went, an odd number of times
  };
  using Matches = selector::LabelIndex::Matches;
  struct ActiveSelector {
    std::vector<ActiveSet*> sets;    // made of what it matches
    std::optional<Matches> matches;  // kept while one of the sets is stored; unset: not asked
  };
  struct Item {
    Contribution contribution;
    boost::container::flat_set<base::Symbol> selectors;  // that match, and keep their matches
  };

  void on_match_started(base::Symbol selector, base::Symbol item);
  void on_match_stopped(base::Symbol selector, base::Symbol item);
  static SetMembers members_of(const ActiveSet& set);
  void add(ActiveSet& set, const Contribution& contribution);
  void remove(ActiveSet& set, const Contribution& contribution);
  void toggle(ActiveSet& set, const SetMember& member);
  ActiveSet& find_or_start(const SetSpec& spec);
  void resize(ActiveSet& set, size_t size);
  void release_unused(ActiveSet& set);
  base::Symbol selector_of(const ActiveSet& set) const;
  // Finds what matches for the sets that are not filled, once for each selector.
  void fill();
  void fill_from_matches(base::Symbol selector);
  void ask(base::Symbol selector);
  void stop_asking(base::Symbol selector);

  base::SymbolTable item_ids_;
  std::deque<Item> items_;  // by the symbol of its id
  std::unordered_map<std::string, ActiveSet, base::SecretHash> sets_;
  base::SymbolTable selector_ids_;        // used once for each set
  std::deque<ActiveSelector> selectors_;  // by the symbol of its id
  size_t stored_ = 0;                     // sets
  size_t passing_on_ = 0;                 // selectors that keep no matches
  std::set<std::string> changed_;         // ids of sets, since the last difference
  std::vector<std::string> resized_;      // ids of followed sets
  std::set<base::Symbol> unfilled_;       // selectors with sets that are not filled
  selector::LabelIndex index_;
};

}  // namespace margay::policy
