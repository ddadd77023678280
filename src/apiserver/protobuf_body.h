#pragma once

// Bodies in Kubernetes' protobuf form (application/vnd.kubernetes.protobuf), which typed Go clients
// send and prefer for every kind of Kubernetes' own: "k8s\0" and an envelope, runtime.Unknown, that
// says what the message in it is. https://kubernetes.io/docs/reference/using-api/api-concepts/
// #kubernetes-protobuf-encoding

#include <boost/json/object.hpp>
#include <string_view>

#include "apiserver/status.h"

namespace margay::apiserver {

// The object as JSON. A kind that has no such form is a 415; what cannot be read, a 400.
Answer<json::object> parse_protobuf(std::string_view body);

// `message` as a body. An object whose values do not fit its kind's form is an `internal` refusal:
// writes refuse such.
Answer<std::string> to_protobuf(std::string_view api_version, std::string_view kind,
                                const json::object& object);
// The envelope around a message that is encoded already.
std::string seal_protobuf(std::string_view api_version, std::string_view kind,
                          std::string_view message);

// One event of a watch in that form: its length in four bytes, then WatchEvent{type, object}, the
// object being a body.
std::string protobuf_event(std::string_view type, std::string_view body);

}  // namespace margay::apiserver
