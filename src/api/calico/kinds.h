#pragma once

// The kinds each file of this folder describes.

#include "api/kind.h"

namespace margay::api::calico {

std::vector<Kind> policy_kinds();
std::vector<Kind> endpoint_kinds();
std::vector<Kind> networking_kinds();
std::vector<Kind> configuration_kinds();
std::vector<Kind> bgp_kinds();
std::vector<Kind> controller_kinds();
std::vector<Kind> ipam_kinds();
// crd.projectcalico.org/v1 as the stored form of these (api/stored_form.h).
std::vector<Kind> stored_kinds();

}  // namespace margay::api::calico
