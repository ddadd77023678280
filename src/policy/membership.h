#pragma once

// Who satisfies a selector, answered for addresses. Part of the reference evaluator.

#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "policy/model.h"
#include "policy/prefix_set.h"

namespace margay::policy {

// Everything in a model that has addresses and labels (workload endpoints, host endpoints, network
// sets), by the selectors that choose it. Remembers each selector's answer.
// The model outlives it and does not change meanwhile. One thread.
class Membership {
 public:
  explicit Membership(const Model& model);

  // Does the address belong to an endpoint or a network set that satisfies the selector?
  bool contains(const Selector& selector, const IPAddress& address);

  // Does an endpoint that satisfies the selector have this address and, under this name, this
  // port of this protocol?
  bool has_named_port(const Selector& selector, const std::string& name, const IPAddress& address,
                      uint8_t protocol, uint16_t port);

 private:
  struct Member {
    Labels labels;  // effective
    std::vector<Prefix> nets;
    const std::vector<NamedPort>* ports = nullptr;  // null for network sets
  };
  // One selector's answer.
  struct Answer {
    PrefixSet nets;
    std::set<std::tuple<std::string, IPAddress, uint8_t, uint16_t>> named_ports;
  };
  const Answer& answer(const Selector& selector);
  static void add(Answer& answer, const Member& member);

  std::vector<Member> members_;
  std::unordered_map<std::string, Answer> answers_;  // by the selector's text
};

}  // namespace margay::policy
