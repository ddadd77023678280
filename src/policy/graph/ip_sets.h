#pragma once

// The contents of the sets that active rules name: which addresses, nets and named ports belong to
// what satisfies a selector, anywhere in the cluster.

#include <boost/container/flat_set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address_hash.h"
#include "base/symbol_table.h"
#include "policy/compile_rules.h"
#include "policy/program.h"
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

  // A set is kept while it has been acquired more often than released.
  void acquire(const SetSpec& spec);
  void release(const std::string& id);

  // How the sets differ from those at the last call. Sets nobody needs any more are dropped here,
  // not before, so that a set that changes hands keeps its contents.
  Difference take_difference();
  size_t size() const { return sets_.size(); }

 private:
  struct MemberHash {
    size_t operator()(const SetMember& member) const {
      return of_net(member.net) * 31 + member.port;
    }
    base::AddressHash of_net;
  };
  struct ActiveSet {
    SetSpec spec;
    size_t users = 0;
    bool known = false;  // to whoever takes the differences
    // How many items bring each member. Overlapping items share members.
    boost::unordered_flat_map<SetMember, uint32_t, MemberHash> members;
    std::set<SetMember> toggled;  // since the last difference: came or went, an odd number of times
  };
  struct ActiveSelector {
    std::vector<ActiveSet*> sets;  // made of what it matches
  };
  struct Item {
    Contribution contribution;
    boost::container::flat_set<base::Symbol> selectors;  // that match
  };

  void on_match_started(base::Symbol selector, base::Symbol item);
  void on_match_stopped(base::Symbol selector, base::Symbol item);
  static SetMembers members_of(const ActiveSet& set);
  void add(ActiveSet& set, const Contribution& contribution);
  void remove(ActiveSet& set, const Contribution& contribution);
  void toggle(ActiveSet& set, const SetMember& member);
  void start(ActiveSet& set);
  void drop(ActiveSet& set);

  base::SymbolTable item_ids_;
  std::deque<Item> items_;  // by the symbol of its id
  std::unordered_map<std::string, ActiveSet> sets_;
  base::SymbolTable selector_ids_;        // used once for each set
  std::deque<ActiveSelector> selectors_;  // by the symbol of its id
  std::set<std::string> changed_;         // ids of sets, since the last difference
  selector::LabelIndex index_;
};

}  // namespace margay::policy
