#pragma once

// The CustomResourceDefinitions (apiextensions.k8s.io/v1) of the kinds that Calico keeps as custom
// resources, for clusters with a kube-apiserver of their own.

#include <boost/json/array.hpp>

#include "api/kind.h"

namespace margay::api {

// One for each kind of crd.projectcalico.org, with a structural schema
// (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/).
// It says the types and what is needed; what else must hold, projectcalico.org's own validation
// does.
json::array custom_resource_definitions();

// The structural schema of a kind's objects: all in place, without references.
json::object structural_schema(const Kind& kind);

}  // namespace margay::api
