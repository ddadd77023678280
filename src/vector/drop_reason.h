#pragma once

// Why a packet was dropped: each reason is a node of the graph with its own counter, named
// `drop-<name>`, and a line of `margay vector show drops`.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace margay::vector {

enum class DropReason : uint8_t {
  none,
  // parse
  truncated,
  bad_ethernet_type,
  not_our_mac,
  bad_ip_version,
  bad_ip_header_length,
  bad_ip_total_length,
  bad_ip_checksum,
  bad_ip_option,
  bad_extension_header,
  too_many_extension_headers,
  bad_l4_header,
  bad_source_address,
  bad_destination_address,
  fragment_overlap,
  fragment_too_many,
  fragment_timeout,
  fragment_bad,
  icmp_error_bad_quote,
  icmp_error_no_session,
  // policy and sessions
  spoofed_source,
  tunnel_from_workload,
  endpoint_down,
  policy_denied_egress,
  policy_denied_ingress,
  tcp_out_of_state,
  session_table_full,
  session_endpoint_limit,
  // services
  service_no_port,
  service_no_backend,
  service_source_not_allowed,
  service_snat_ports_exhausted,
  no_masquerade_address,
  flow_conflict,
  not_translatable,
  // forwarding
  for_the_host,
  link_local,
  no_route,
  unreachable,
  ttl_expired,
  no_neighbour,
  too_big,
  no_buffer,
  handoff_full,
  output_full,
  interface_down,
  count_,
};

struct DropReasonText {
  std::string_view name;
  std::string_view description;
};

// Indexed by the reason.
const DropReasonText& text_of(DropReason reason);
inline constexpr size_t k_drop_reasons = static_cast<size_t>(DropReason::count_);

}  // namespace margay::vector
