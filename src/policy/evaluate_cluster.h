#pragma once

// The cluster that tests of the evaluator ask about, and the packets they ask with.

#include "policy/evaluate.h"

namespace margay::policy::testing {

inline IPAddress ip(const char* text) { return *IPAddress::parse(text); }
inline Prefix net(const char* text) { return *Prefix::parse_strict(text); }
inline Selector selector(const char* text) { return *Selector::parse(text); }

// Three pods of one namespace with a profile, a network set and a host endpoint.
inline Model cluster() {
  Model model;
  model.profiles["kns.shop"] = {
      .name = "kns.shop", .labels_to_apply = {{"pcns.team", "web"}, {"tier", "from-profile"}}};
  const auto add = [&model](const char* pod, std::vector<IPAddress> addresses, Labels labels,
                            std::vector<NamedPort> ports) {
    const WorkloadKey key{"node-a", "k8s", std::string("shop/") + pod, "eth0"};
    model.workloads[key] = {.key = key,
                            .ns = "shop",
                            .addresses = std::move(addresses),
                            .labels = std::move(labels),
                            .profiles = {"kns.shop"},
                            .ports = std::move(ports)};
  };
  add("client", {ip("10.65.0.1"), ip("fd00::1")}, {{"app", "client"}}, {});
  add("server", {ip("10.65.0.2"), ip("fd00::2")}, {{"app", "server"}},
      {{"http", k_tcp, 8080}, {"dns", k_udp, 53}, {"diameter", k_sctp, 3868}});
  add("other", {ip("10.65.0.3")}, {{"app", "other"}}, {{"http", k_tcp, 9090}});
  model.network_sets[{"", "office"}] = {
      .key = {"", "office"}, .labels = {{"zone", "office"}}, .nets = {net("192.0.2.0/24")}};
  model.host_endpoints[{"node-a", "gateway"}] = {.key = {"node-a", "gateway"},
                                                 .expected_addresses = {ip("198.51.100.1")},
                                                 .labels = {{"role", "gateway"}},
                                                 .ports = {{"admin", k_tcp, 22}}};
  return model;
}

inline Packet tcp(const char* from, const char* to, uint16_t port, uint16_t source_port = 40000) {
  return {ip(from), ip(to), k_tcp, source_port, port};
}
// From `client` to `server`.
inline const Packet k_web = tcp("10.65.0.1", "10.65.0.2", 8080);
inline const Packet k_web6 = tcp("fd00::1", "fd00::2", 8080);

}  // namespace margay::policy::testing
