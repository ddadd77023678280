#pragma once

// Names of projectcalico.org/v3 objects that a server derives from the Kubernetes objects it holds,
// as Calico v3.19 names them: NetworkPolicies knp.* stand for Kubernetes NetworkPolicies, Profiles
// kns.* for namespaces and ksa.* for service accounts. A second object of such a name would take
// the derived one's place. A server that derives them asks here before it creates an object; a
// store without Kubernetes keeps them, because Calico's own controllers write them there.

#include <boost/json/object.hpp>

#include "api/kind.h"

namespace margay::api {

// Fails with `invalid`, at metadata.name or metadata.generateName, when the name is such a one.
base::Result<> check_not_derived(const Kind& kind, const json::object& object);

}  // namespace margay::api
