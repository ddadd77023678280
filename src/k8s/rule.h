#pragma once

// The rules of projectcalico.org policies and profiles.

#include <string>
#include <vector>

#include "api/calico.h"
#include "k8s/convert.h"
#include "k8s/field.h"

namespace margay::k8s {

// `ns`: the policy's namespace, empty for global policies and profiles; it narrows selectors as
// docs/policy.md says. Every rule keeps its index. One that cannot be read matches nothing; if it
// would deny, everything: whatever it was to keep out stays out.
std::vector<policy::Rule> read_rules(const std::vector<api::Rule>& rules, const std::string& ns,
                                     const std::string& path, Warnings& warnings);

}  // namespace margay::k8s
