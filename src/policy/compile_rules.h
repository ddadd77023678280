#pragma once

// Rules of the model -> rules of the program: selectors become sets by id, implied conditions
// become explicit. A pure function.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policy/program.h"

namespace margay::policy {

// What a set contains, for whoever keeps the contents.
struct SetSpec {
  std::string id;
  SetType type = SetType::nets;
  Selector selector;
  std::string port_name;  // named_ports: of the endpoints that have this port
  uint8_t protocol = 0;   // named_ports: in this protocol
  bool operator==(const SetSpec&) const = default;
};

struct CompiledRules {
  std::shared_ptr<const ProgramRules> rules;
  std::map<std::string, SetSpec> sets;  // that the rules name, by id
};

// Where rules stand. A profile's Pass denies, as it has no tier to leave.
enum class RulesOf : uint8_t { policy, profile };

// `name`: the policy's tier and id, or the profile's name; part of every rule's id. A rule's id
// stays when other rules are put before or after it.
CompiledRules compile_rules(RulesOf place, const std::string& name,
                            const std::vector<Rule>& ingress, const std::vector<Rule>& egress);

}  // namespace margay::policy
