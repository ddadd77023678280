#pragma once

// What the kinds of projectcalico.org/v3 share.

#include "api/calico.h"
#include "api/describe.h"
#include "api/formats.h"

namespace margay::api::calico {

inline constexpr const char* k_group = "projectcalico.org";
inline constexpr const char* k_version = "v3";

// Text in the selector language. `global()` is refused: only a rule's namespaceSelector has it.
Described<std::string> selector();
Described<std::string> namespace_selector();

// A port number, a range "a:b" or a name; "80" and "80:80" are stored as the number.
Described<IntOrString> port();
// TCP, UDP, ... or 1 to 255; "6" is stored as the number.
Described<IntOrString> protocol();
bool has_ports(const IntOrString& protocol);  // TCP, UDP or SCTP

Described<std::vector<Rule>> rules();
// The nets of a network set.
Described<std::string> net();
// A named port of an endpoint.
Described<EndpointPort> endpoint_port();

// A Kind of the group, with the column that every kind ends with.
Kind kind(std::string name, std::string plural, std::vector<std::string> short_names,
          bool namespaced, std::string doc, std::vector<Column> columns);

}  // namespace margay::api::calico
