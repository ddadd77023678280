#pragma once

// What kinds there are, in the forms clients discover them by: the resource lists of each group and
// version, and the aggregated form (apidiscovery.k8s.io v2 and v2beta1) of one request each for
// /api and /apis. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api

#include <optional>
#include <string>
#include <string_view>

#include "apiserver/http_message.h"

namespace margay::apiserver {

// The version the server says it is: the Kubernetes API level it follows, and its own.
std::string version_json();

// The answer to a GET of "/api", "/apis", "/api/v1", "/apis/<group>" or
// "/apis/<group>/<version>" (and of the list of custom resource definitions, which is empty);
// nothing for other paths and unknown groups.
std::optional<Response> discover(std::string_view path, std::string_view accept);

}  // namespace margay::apiserver
