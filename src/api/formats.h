#pragma once

// What text in a field may look like. Each function reports a value that breaks its rule.
// Names and labels: Kubernetes' "Object Names and IDs" and "Labels and Selectors"; addresses:
// base/address.h.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "api/meta.h"
#include "api/report.h"
#include "base/address.h"

namespace margay::api::formats {

void dns_label(const std::string& text, const Report& report);      // RFC 1123, at most 63
void dns_subdomain(const std::string& text, const Report& report);  // RFC 1123, at most 253
void service_name(const std::string& text, const Report& report);   // RFC 1035 label, at most 63
void path_segment(const std::string& text, const Report& report);   // fits in a URL path
void port_name(const std::string& text, const Report& report);      // IANA_SVC_NAME (RFC 6335)

void qualified_name(const std::string& text, const Report& report);  // [prefix/]name: label keys
void label_value(const std::string& text, const Report& report);
void labels(const Labels& labels, const Report& report);
void annotations(const Labels& annotations, const Report& report);  // 256 KiB in all

void ip_address(const std::string& text, const Report& report);
void ipv4_address(const std::string& text, const Report& report);
void ipv6_address(const std::string& text, const Report& report);
void net(const std::string& text, const Report& report);      // an address or a prefix
void cidr(const std::string& text, const Report& report);     // a prefix, host bits allowed
void network(const std::string& text, const Report& report);  // a prefix without host bits
void mac_address(const std::string& text, const Report& report);

void interface_name(const std::string& text, const Report& report);  // 1 to 15 characters
// RE2 works out repetitions before it looks at any bound of its own.
inline constexpr size_t k_longest_expression = 1'024;
void regular_expression(const std::string& text, const Report& report);  // RE2's, as Go has them
void rfc3339(const std::string& text, const Report& report);
void base64(const std::string& text, const Report& report);
void duration(const std::string& text, const Report& report);       // Go's: "1m30s", "250ms"
void http_method(const std::string& text, const Report& report);    // a token (RFC 9110)
void wireguard_key(const std::string& text, const Report& report);  // 32 bytes in base64

// The length of a Go duration, which is never negative here; unset when the text is not one.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

bool is_dns_label(std::string_view text);
bool is_dns_subdomain(std::string_view text);
bool is_port_name(std::string_view text);

}  // namespace margay::api::formats
