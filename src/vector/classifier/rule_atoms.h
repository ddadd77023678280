#pragma once

// Rules as conditions over atoms. What rules ask of addresses, ports and ICMP is registered here
// once for equal questions, and taken back with the last rule that asks it.
//
// Control thread only. Everything made here must go before this.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/address_hash.h"
#include "policy/program.h"
#include "vector/classifier/address_classes.h"
#include "vector/classifier/named_port_classes.h"
#include "vector/classifier/port_classes.h"
#include "vector/classifier/rule_counters.h"

namespace margay::vector {

class RuleAtoms;

// A question that many rules may ask.
struct RangeAtom {
  uint32_t atom;
  bool has_zero;  // contains port 0, or ICMP type 0 code 0
};

struct ResolvedRule {
  struct Side {
    std::vector<uint32_t> nets, not_nets;  // atoms of AddressClasses: in all, in none
    std::optional<RangeAtom> ports, not_ports;
    std::vector<uint32_t> named, not_named;  // atoms of NamedPortClasses
    bool asks_address() const { return !nets.empty() || !not_nets.empty(); }
  };

  ResolvedRule(RuleAtoms& all_atoms, RuleCounters& all_counters)
      : atoms(all_atoms), counters(all_counters) {}
  ~ResolvedRule();
  ResolvedRule(const ResolvedRule&) = delete;
  ResolvedRule& operator=(const ResolvedRule&) = delete;

  RuleAtoms& atoms;
  RuleCounters& counters;
  policy::ProgramRule rule;
  uint32_t counter = 0;  // a reference
  // Also when a set that it names is not there: a rule that cannot be told never matches.
  bool never = false;
  Side source, destination;
  std::optional<RangeAtom> icmp, not_icmp;
};

class RuleAtoms {
 public:
  explicit RuleAtoms(Rcu& rcu) : addresses_(rcu), named_ports_(rcu) {}

  // `place`: of the rule, for its counter.
  std::shared_ptr<const ResolvedRule> resolve(const policy::ProgramRule& rule,
                                              RuleCounters& counters, const std::string& place);

  // True when rules name the set and it has come, gone or changed its type: they must be resolved
  // anew before the next `stage`.
  bool update(const policy::SetUpdate& update);
  void apply(const policy::SetDelta& delta);
  bool remove(const std::string& set);

  AddressClasses& addresses() { return addresses_; }
  NamedPortClasses& named_ports() { return named_ports_; }
  PortClasses& ports() { return ports_; }
  PortClasses& icmp() { return icmp_; }
  const AddressClasses& addresses() const { return addresses_; }
  const NamedPortClasses& named_ports() const { return named_ports_; }
  const PortClasses& ports() const { return ports_; }
  const PortClasses& icmp() const { return icmp_; }

 private:
  friend ResolvedRule;
  struct MemberHash {
    size_t operator()(const policy::SetMember& member) const {
      return of_net(member.net) * 31 + member.port;
    }
    base::AddressHash of_net;
  };
  struct Set {
    policy::SetType type;
    uint32_t atom;
    std::unordered_set<policy::SetMember, MemberHash> members;
  };
  // Numbers that are given, taken back, and given again.
  struct Numbers {
    uint32_t take();
    void give_back(uint32_t number) { free.push_back(number); }
    uint32_t next = 0;
    std::vector<uint32_t> free;
  };
  struct Shared {
    uint32_t atom;
    uint32_t users = 0;
  };
  using NetLists = std::map<std::vector<policy::Prefix>, Shared>;
  using RangeLists = std::map<std::vector<policy::PortRange>, Shared>;

  uint32_t use_nets(std::vector<policy::Prefix> nets);
  void drop_nets(const std::vector<policy::Prefix>& nets);
  RangeAtom use_ranges(std::vector<policy::PortRange> ranges, RangeLists& lists,
                       PortClasses& classes, Numbers& numbers);
  void drop_ranges(const std::vector<policy::PortRange>& ranges, RangeLists& lists,
                   PortClasses& classes, Numbers& numbers);
  void count_sets(const policy::ProgramRule& rule, int change);
  bool is_named(const std::string& set) const { return named_.contains(set); }
  bool resolve_sets(const std::vector<std::string>& ids, policy::SetType type,
                    std::vector<uint32_t>& atoms) const;
  bool resolve(const policy::ProgramEntity& entity, ResolvedRule::Side& side);
  void use_of(const policy::ProgramEntity& entity, ResolvedRule::Side& side);
  void drop(const ResolvedRule& rule);
  void drop(const policy::ProgramEntity& entity);
  void add_member(const Set& set, const policy::SetMember& member);
  void remove_member(const Set& set, const policy::SetMember& member);
  Numbers& numbers_of(policy::SetType type) {
    return type == policy::SetType::nets ? address_numbers_ : named_numbers_;
  }

  AddressClasses addresses_;
  NamedPortClasses named_ports_;
  PortClasses ports_, icmp_;
  Numbers address_numbers_, named_numbers_, port_numbers_, icmp_numbers_;
  std::map<std::string, Set> sets_;
  std::unordered_map<std::string, size_t> named_;  // sets by rules that name them, there or not
  NetLists nets_;
  RangeLists port_lists_, icmp_lists_;
};

}  // namespace margay::vector
