#pragma once

#include "api/kubernetes/common.h"

namespace margay::api::kubernetes {

// spec.containers and spec.initContainers of a pod.
Described<std::vector<Container>> containers();
Described<std::vector<json::value>> ephemeral_containers();
Described<std::vector<json::value>> container_statuses();

// requests and limits: names and quantities.
Described<json::value> resource_requirements();

}  // namespace margay::api::kubernetes
