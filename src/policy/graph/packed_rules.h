#pragma once

// The rules of a policy or profile as bytes: a tenth of their size. Most policies of a cluster
// apply to no endpoint of a given node, and their rules are only kept for when they do.

#include <string>
#include <vector>

#include "policy/model.h"

namespace margay::policy {

class PackedRules {
 public:
  PackedRules() = default;
  PackedRules(const std::vector<Rule>& ingress, const std::vector<Rule>& egress);

  struct Rules {
    std::vector<Rule> ingress, egress;
  };
  // Equal to what was packed.
  Rules unpack() const;

  // Whether both are of equal rules.
  bool operator==(const PackedRules&) const = default;

 private:
  std::string bytes_;  // of this process only: its form may change with any version
};

}  // namespace margay::policy
