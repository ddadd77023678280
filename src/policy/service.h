#pragma once

// Services of the model: Kubernetes' Service and EndpointSlice as far as load balancing on a node
// goes. Headless and external names have no frontends and so no place here. What they mean is in
// docs/policy.md, "Services"; policy/service_program.h works out what one node does.

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"

namespace margay::policy {

struct ServiceKey {
  std::string ns;
  std::string name;
  std::string id() const { return ns + "/" + name; }
  auto operator<=>(const ServiceKey&) const = default;
};

// Which backends a frontend may use: all, or those on the node that the packet has reached.
enum class TrafficPolicy : uint8_t { cluster, local };

struct ServicePort {
  std::string name;  // may be empty when the service has one
  uint8_t protocol = 0;
  uint16_t port = 0;
  uint16_t node_port = 0;  // of every node's addresses; 0: none
  bool operator==(const ServicePort&) const = default;
};

struct Service {
  ServiceKey key;
  std::string created;  // RFC 3339 in UTC: of two that claim one frontend the older has it
  std::vector<base::IPAddress> cluster_ips;
  std::vector<base::IPAddress> external_ips;
  std::vector<base::IPAddress> load_balancer_ips;
  std::vector<ServicePort> ports;
  std::optional<std::chrono::seconds> client_affinity;     // a client keeps its backend for so long
  TrafficPolicy internal_policy = TrafficPolicy::cluster;  // of cluster IPs
  TrafficPolicy external_policy = TrafficPolicy::cluster;  // of node ports, external and LB IPs
  std::vector<base::Prefix> source_ranges;  // who may use load balancer IPs; empty: everyone
  bool prefers_zone = false;                // backends meant for this node's zone (hints)
  bool operator==(const Service&) const = default;
};

struct Backend {
  base::IPAddress address;
  std::string node;                    // empty: unknown
  std::vector<std::string> for_zones;  // the zones it is meant for; empty: no hint
  bool ready = true;
  bool serving = true;  // ready, whether or not it is terminating
  bool terminating = false;
  bool operator==(const Backend&) const = default;
};

struct BackendPort {
  std::string name;  // of the service's port that it serves
  uint8_t protocol = 0;
  uint16_t port = 0;
  bool operator==(const BackendPort&) const = default;
};

struct EndpointSliceKey {
  std::string ns;
  std::string name;
  std::string id() const { return ns + "/" + name; }
  auto operator<=>(const EndpointSliceKey&) const = default;
};

// Some of a service's backends, all with the same ports. Those of one slice have one family.
struct EndpointSlice {
  EndpointSliceKey key;
  ServiceKey service;
  std::vector<BackendPort> ports;
  std::vector<Backend> backends;
  bool operator==(const EndpointSlice&) const = default;
};

}  // namespace margay::policy
