#pragma once

// The names of everything this data plane owns in the kernel: those of Felix, so that an upgrade
// in place recognises what is there and operators find what they know.
// Chains: at most 28 characters, all begin with "cali-". Sets: at most 31, all begin with "cali".

#include <string>
#include <string_view>

#include "policy/program.h"

namespace margay::dataplane::linux_host {

using policy::Direction;
using policy::IPFamily;

inline constexpr std::string_view k_chain_prefix = "cali-";
inline constexpr std::string_view k_hash_comment = "cali:";

inline constexpr std::string_view k_from_workload_dispatch = "cali-from-wl-dispatch";
inline constexpr std::string_view k_to_workload_dispatch = "cali-to-wl-dispatch";
inline constexpr std::string_view k_workload_to_host = "cali-wl-to-host";

inline constexpr std::string_view k_from_host_dispatch = "cali-from-host-endpoint";
inline constexpr std::string_view k_to_host_dispatch = "cali-to-host-endpoint";
inline constexpr std::string_view k_from_host_forward_dispatch = "cali-from-hep-forward";
inline constexpr std::string_view k_to_host_forward_dispatch = "cali-to-hep-forward";
inline constexpr std::string_view k_failsafe_in = "cali-failsafe-in";
inline constexpr std::string_view k_failsafe_out = "cali-failsafe-out";
// Forwarded packets to services that are not there.
inline constexpr std::string_view k_service_block = "cali-cidr-block";
// In raw, of what comes in: behind the check of workloads' sources.
inline constexpr std::string_view k_untracked = "cali-untracked";
// In the place of an interface: the host endpoint for `*`.
inline constexpr std::string_view k_any_interface = "any-interface-at-all";

// Set ids that are not made from selectors; set_name() turns them into kernel names.
inline constexpr std::string_view k_all_pools = "all-ipam-pools";
inline constexpr std::string_view k_masquerade_pools = "masq-ipam-pools";
inline constexpr std::string_view k_vxlan_hosts = "all-vxlan-net";
inline constexpr std::string_view k_ipip_hosts = "all-hosts-net";

std::string policy_chain(Direction direction, const policy::PolicyKey& key);  // cali-pi-, cali-po-
std::string profile_chain(Direction direction, std::string_view profile);  // cali-pri-, cali-pro-
std::string from_workload_chain(std::string_view interface_name);          // cali-fw-
std::string to_workload_chain(std::string_view interface_name);            // cali-tw-

// What comes in by (cali-fh-) or goes out by (cali-th-) an interface of the host's, and the same
// for what is forwarded (cali-fhfw-, cali-thfw-).
std::string host_chain(Direction direction, bool forward, std::string_view interface_name);

// A branch of a dispatch chain: "<dispatch>-<characters>", of which at most six fit whole.
std::string branch_chain(std::string_view dispatch, std::string_view characters);

std::string set_prefix(IPFamily family);            // "cali40", "cali60"
std::string temporary_set_prefix(IPFamily family);  // "cali4t", "cali6t"
std::string set_name(IPFamily family, std::string_view id);

}  // namespace margay::dataplane::linux_host
