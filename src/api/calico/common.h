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
// An AS number: 0 to 4294967295, as a number or as text, also as "<high>.<low>" (RFC 5396).
Described<IntOrString> as_number();
std::optional<uint32_t> to_as_number(const IntOrString& value);
// Words of a log's severity.
Described<std::string> log_severity();
// For kinds of which there is one.
void only_default(const std::string& name, const Report& report);
// A named port of an endpoint.
Described<EndpointPort> endpoint_port();

// A Kind of the group, with the column that every kind ends with.
Kind kind(std::string name, std::string plural, std::vector<std::string> short_names,
          bool namespaced, std::string doc, std::vector<Column> columns);

}  // namespace margay::api::calico
