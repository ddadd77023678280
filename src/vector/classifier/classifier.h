#pragma once

// The policy classifier: takes the policy part of a program's deltas (policy/program.h) and keeps a
// PolicyView that answers workers.
//
// Deltas may be applied any number at a time; workers see none of it before `commit`, and then all
// of it at once. Sets, policies, profiles and workloads count; host endpoints, routes and the like
// are not for it and change nothing. What a delta refers to should be there, as the protocol of
// policy/program.h says; where it is not, it stays closed: a rule that names a set which is not
// there never matches, a policy or profile that is not there denies everything in its place.
//
// The control thread only, but for what `view` gives. No worker may ask any more when it is
// destroyed; the Rcu must live longer.

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/program.h"
#include "vector/classifier/compiled_rule_list.h"
#include "vector/classifier/policy_view.h"
#include "vector/classifier/rule_atoms.h"
#include "vector/classifier/rule_counters.h"
#include "vector/classifier/rule_part.h"
#include "vector/rcu.h"

namespace margay::vector {

class Classifier {
 public:
  explicit Classifier(Rcu& rcu);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  void apply(const policy::Delta& delta);
  // Publishes what has been applied. Returns the new generation, or the present one when nothing
  // has changed.
  uint64_t commit();
  // Frees what no worker can see any more. To be called now and then after Rcu::reclaim; `commit`
  // does it as well. What has been removed is wholly gone after the third time.
  void reclaim();

  // For workers.
  const PolicyView& view() const { return view_; }

  // The number of a workload for Flow. It stays while the workload does, is given at its first
  // WorkloadUpdate (workers know it after the commit), and given to another only when no worker
  // can see it.
  std::optional<uint32_t> endpoint(const policy::WorkloadKey& key) const;

  RuleCounters& counters() { return counters_; }
  // What an endpoint enforces, in order, as of the last commit.
  struct RuleLine {
    uint32_t counter = 0;
    DecidedBy by = DecidedBy::policy_rule;
    policy::Action action = policy::Action::deny;
    std::string id;
    std::string place;  // "policy default/a ingress"
    std::string text;   // what the rule says; empty at ends
  };
  std::vector<RuleLine> rules_of(const policy::WorkloadKey& key, policy::Direction direction) const;

  struct Memory {
    size_t lists = 0, rules = 0, counters = 0, endpoints = 0;
    size_t address_classes = 0, port_classes = 0, icmp_classes = 0, named_port_classes = 0;
    size_t prefixes = 0, named_ports = 0;
    size_t transitions = 0, retired = 0;  // still to be reclaimed
    size_t list_bytes = 0;                // of rule lists; the largest part that grows with policy
    size_t map_bytes = 0;                 // of address -> class
    bool operator==(const Memory&) const = default;
  };
  Memory memory();

 private:
  class Applier;
  struct List;  // a rule list that endpoints share
  struct ListKey;
  struct Endpoint {
    uint32_t number = 0;
    bool is_up = false;
    List* ingress = nullptr;
    List* egress = nullptr;
  };
  struct EndpointTable;
  struct Snapshot;
  struct Part {
    explicit Part(const RulePartKey& key_of_part) : key(key_of_part), rules(key_of_part) {}
    RulePartKey key;
    RulePart rules;
    std::set<List*> users;
  };
  struct Retired {
    uint64_t number;
    std::vector<std::function<void()>> releases;
  };

  List* use_list(const policy::ProgramWorkload& workload, policy::Direction direction);
  void drop_list(List* list);
  Part* part(const RulePartKey& key) { return &parts_.try_emplace(key, key).first->second; }
  void forget_if_unused(Part* part);
  void set_rules(const RulePartKey& key, RulePart::Rules rules);
  // A set that rules name has come or gone.
  void distrust(const std::string& set);

  struct Line;
  std::vector<Line> lines_of(const List& list) const;
  void resolve_dirty();
  void enter(std::initializer_list<Dimension> dimensions, AtomSets& sets, uint32_t set);
  void publish_ports(PortClasses& ports, std::initializer_list<Dimension> dimensions);
  void stage(uint64_t generation);
  void compile_dirty();
  void publish(uint64_t generation);
  void commit(uint64_t generation);
  // To be run when no worker sees any more what the next snapshot replaces.
  void retire(std::function<void()> release) { retired_now_.push_back(std::move(release)); }
  void close_retired();

  Rcu& rcu_;
  RuleCounters counters_;
  RuleAtoms atoms_;
  PolicyView view_;
  std::map<RulePartKey, Part> parts_;
  std::map<ListKey, List> lists_;
  std::set<List*> dirty_;
  std::map<policy::WorkloadKey, Endpoint> endpoints_;
  std::vector<const Endpoint*> by_number_;  // null: not in use
  std::vector<uint32_t> free_endpoints_;
  bool endpoints_changed_ = false;
  bool changed_ = false;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::function<void()>> retired_now_;
  std::deque<Retired> retired_;
  uint64_t last_retired_ = 0;
  std::shared_ptr<uint64_t> passed_;  // the last of `retired_` that no worker sees
};

}  // namespace margay::vector
