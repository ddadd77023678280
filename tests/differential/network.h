#pragma once

// The network around the node under test, as every subject lays it out. Frames come in on the
// interface of whoever has their source address, and are looked for where they come out:
//
//   cali0000 .. cali00NN   workloads
//   eth0                   everything else: the default route of both families
//
// and where a subject has the node's own side too (Subject::has_host):
//
//   eth1                   the nets behind it
//   host                   no interface: processes of the node itself
//
// with services, whose addresses the node translates.

#include <cstdint>
#include <string>
#include <vector>

#include "net/mac_address.h"
#include "policy/model.h"

namespace margay::differential {

inline constexpr const char* k_node = "node-a";
inline constexpr const char* k_uplink = "eth0";
inline constexpr const char* k_side = "eth1";
inline constexpr const char* k_host = "host";
inline constexpr size_t k_many_workloads = 40;  // enough for a tree of dispatch chains

// The MAC addresses at the node's end of every interface, and beyond the host's.
inline constexpr net::MacAddress k_near_mac{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
inline constexpr net::MacAddress k_uplink_mac{{0x02, 0xfe, 0, 0, 0, 1}};
inline constexpr net::MacAddress k_side_mac{{0x02, 0xfe, 0, 0, 0, 2}};

// The node's interface for the workload with this number.
std::string workload_interface(size_t number);
// The MAC address of the workload at the far end of an interface.
net::MacAddress workload_mac(const std::string& interface_name);

// The node's own. What the model says of its interfaces' addresses, which decides who governs
// them, is chosen from these and others.
struct HostAddress {
  policy::IPAddress address;
  const char* interface;
};
const std::vector<HostAddress>& host_addresses();
bool is_of_the_host(const policy::IPAddress& address);

// What is behind k_side.
const std::vector<policy::Prefix>& side_nets();
bool is_behind_the_side(const policy::IPAddress& address);

// An address and port of a service, or a port of the node's, for TCP, UDP and SCTP alike.
struct Frontend {
  policy::IPAddress address;
  uint16_t port = 0;
  policy::IPAddress backend;
  uint16_t backend_port = 0;
};
const std::vector<Frontend>& frontends();

}  // namespace margay::differential
