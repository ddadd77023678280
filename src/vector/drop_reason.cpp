#include "vector/drop_reason.h"

namespace margay::vector {
namespace {

constexpr std::array<DropReasonText, k_drop_reasons> k_texts{{
    {"none", "not dropped: read and done with"},
    {"truncated", "shorter than its headers say"},
    {"bad-ethernet-type", "neither IPv4, IPv6 nor ARP"},
    {"not-our-mac", "addressed to another station"},
    {"bad-ip-version", "the IP version is not the Ethernet type's"},
    {"bad-ip-header-length", "IPv4 header length below 20 or beyond the packet"},
    {"bad-ip-total-length", "IP total length below the header's or beyond the packet"},
    {"bad-ip-checksum", "IPv4 header checksum"},
    {"bad-ip-option", "IPv4 option list malformed, or a source route"},
    {"bad-extension-header", "IPv6 extension header malformed, out of place, or a source route"},
    {"too-many-extension-headers", "more IPv6 extension headers than are followed"},
    {"bad-l4-header", "transport header incomplete or with wrong lengths"},
    {"bad-source-address", "a source that nobody may have (multicast, loopback, unspecified)"},
    {"bad-destination-address", "a destination that is not forwarded"},
    {"fragment-overlap", "fragments of one packet overlap"},
    {"fragment-too-many", "too many fragments or packets in reassembly"},
    {"fragment-timeout", "a packet's first fragment did not come in time"},
    {"fragment-bad", "a fragment whose offset or length cannot be"},
    {"icmp-error-bad-quote", "an ICMP error that quotes no intelligible packet"},
    {"icmp-error-no-session", "an ICMP error about a flow that there is none of"},
    {"spoofed-source", "a source that is not the workload's"},
    {"tunnel-from-workload", "VXLAN or IPIP from a workload"},
    {"endpoint-down", "the workload is administratively down"},
    {"policy-denied-egress", "policy of the sending workload"},
    {"policy-denied-ingress", "policy of the receiving workload"},
    {"tcp-out-of-state", "TCP of no known connection that does not open one"},
    {"session-table-full", "no more sessions can be tracked"},
    {"session-endpoint-limit", "the workload has as many sessions as it may"},
    {"service-no-port", "a service address, but no port of the service"},
    {"service-no-backend", "the service has no backend"},
    {"service-source-not-allowed", "not in the service's load balancer source ranges"},
    {"service-snat-ports-exhausted", "no source port is free for the translated flow"},
    {"no-masquerade-address", "no address of the node to translate a source to"},
    {"flow-conflict", "its replies could not be told from another flow's"},
    {"not-translatable", "a fragment of SCTP whose ports would change"},
    {"for-the-host", "to one of the node's own addresses, and nothing that is answered here"},
    {"link-local", "from or to a link-local address, which is not forwarded"},
    {"no-route", "no route to the destination"},
    {"unreachable", "the route says unreachable"},
    {"ttl-expired", "time to live or hop limit exceeded"},
    {"no-neighbour", "the next hop's MAC address is not known"},
    {"too-big", "larger than the way's MTU, and may not be fragmented"},
    {"no-buffer", "no packet buffer is free"},
    {"handoff-full", "the owning worker's ring is full"},
    {"output-full", "the output interface takes no more"},
    {"interface-down", "the output interface is gone"},
}};

}  // namespace

const DropReasonText& text_of(DropReason reason) { return k_texts[static_cast<size_t>(reason)]; }

}  // namespace margay::vector
