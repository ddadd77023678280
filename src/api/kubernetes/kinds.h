#pragma once

// The kinds each file of this folder describes.

#include "api/kind.h"

namespace margay::api::kubernetes {

std::vector<Kind> core_kinds();
std::vector<Kind> pod_kinds();
std::vector<Kind> node_kinds();
std::vector<Kind> service_kinds();
std::vector<Kind> network_policy_kinds();

}  // namespace margay::api::kubernetes
