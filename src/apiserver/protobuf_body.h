#pragma once

// Bodies in Kubernetes' protobuf form (application/vnd.kubernetes.protobuf), which the `kubectl
// create` subcommands of recent releases send and nothing else: the kinds those make, read into
// JSON by tables of field numbers (k8s.io/api's generated.proto). Other kinds are a 415; a field
// that no table has is refused, never dropped.

#include <boost/json/object.hpp>
#include <string_view>

#include "apiserver/status.h"

namespace margay::apiserver {

inline constexpr std::string_view k_protobuf_body = "application/vnd.kubernetes.protobuf";

Answer<json::object> parse_protobuf(std::string_view bytes);

}  // namespace margay::apiserver
