#include "policy/service_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "policy/protocol.h"

namespace margay::policy {
namespace {

using Addresses = std::vector<IPAddress>;

// A backend under one port: the states of its slices' entries combined.
struct Candidate {
  bool is_local = false;
  bool ready = false;
  bool serving_while_terminating = false;
  std::vector<std::string> for_zones;
};
using Candidates = std::map<std::pair<IPAddress, uint16_t>, Candidate>;

void add(Candidates& candidates, const Backend& backend, uint16_t port, const ServiceView& view) {
  Candidate& candidate = candidates[{backend.address, port}];
  candidate.is_local |= !backend.node.empty() && backend.node == view.node;
  candidate.ready |= backend.ready;
  candidate.serving_while_terminating |= backend.serving && backend.terminating;
  candidate.for_zones.insert(candidate.for_zones.end(), backend.for_zones.begin(),
                             backend.for_zones.end());
}

Candidates candidates_of(const ServicePort& port, IPFamily family,
                         const std::vector<const EndpointSlice*>& slices, const ServiceView& view) {
  Candidates candidates;
  for (const EndpointSlice* slice : slices)
    for (const BackendPort& served : slice->ports) {
      if (served.name != port.name || served.protocol != port.protocol) continue;
      for (const Backend& backend : slice->backends)
        if (backend.address.family() == family) add(candidates, backend, served.port, view);
    }
  return candidates;
}

// Those for which `usable` holds.
std::vector<ProgramBackend> choose(const Candidates& candidates, const auto& usable) {
  std::vector<ProgramBackend> chosen;
  for (const auto& [key, candidate] : candidates)
    if (usable(candidate))
      chosen.push_back({.address = key.first, .port = key.second, .is_local = candidate.is_local});
  return chosen;
}

// Among those that `among` admits.
std::vector<ProgramBackend> usable_backends(const Candidates& candidates, const auto& among) {
  auto ready = choose(candidates, [&](const Candidate& c) { return among(c) && c.ready; });
  if (!ready.empty()) return ready;
  return choose(candidates,
                [&](const Candidate& c) { return among(c) && c.serving_while_terminating; });
}

bool is_for_zone(const Candidate& candidate, const std::string& zone) {
  return std::ranges::count(candidate.for_zones, zone) > 0;
}

// Whether the backends' hints can be followed: half of them would leave others without traffic.
bool follows_hints(const Candidates& candidates, const std::string& zone) {
  const auto hinted = [](const auto& entry) {
    return !entry.second.ready || !entry.second.for_zones.empty();
  };
  return std::ranges::all_of(candidates, hinted) &&
         std::ranges::any_of(candidates, [&zone](const auto& entry) {
           return entry.second.ready && is_for_zone(entry.second, zone);
         });
}

std::vector<ProgramBackend> cluster_backends(const Candidates& candidates, bool prefers_zone,
                                             const ServiceView& view) {
  if (prefers_zone && !view.zone.empty() && follows_hints(candidates, view.zone))
    return usable_backends(candidates,
                           [&](const Candidate& c) { return is_for_zone(c, view.zone); });
  return usable_backends(candidates, [](const Candidate&) { return true; });
}

bool has_family(const Addresses& addresses, IPFamily family) {
  return std::ranges::count(addresses, family, &IPAddress::family) > 0;
}

std::vector<ProgramFrontend> frontends_of(const Service& service, const ServicePort& port,
                                          IPFamily family) {
  using Kind = ProgramFrontend::Kind;
  std::vector<ProgramFrontend> frontends;
  const auto add_all = [&](Kind kind, const Addresses& addresses, TrafficPolicy policy) {
    for (const IPAddress& address : addresses)
      if (address.family() == family)
        frontends.push_back({.kind = kind,
                             .address = address,
                             .port = port.port,
                             .local_only = policy == TrafficPolicy::local});
  };
  add_all(Kind::cluster_ip, service.cluster_ips, service.internal_policy);
  add_all(Kind::external_ip, service.external_ips, service.external_policy);
  add_all(Kind::load_balancer_ip, service.load_balancer_ips, service.external_policy);
  // A node port is in the families that the service's own addresses have.
  if (port.node_port != 0 && has_family(service.cluster_ips, family))
    frontends.push_back({.kind = Kind::node_port,
                         .address = {},
                         .port = port.node_port,
                         .local_only = service.external_policy == TrafficPolicy::local});
  std::ranges::sort(frontends);
  return frontends;
}

}  // namespace

ProgramService program_of(const Service& service, const std::vector<const EndpointSlice*>& slices,
                          const ServiceView& view) {
  ProgramService program{.key = service.key,
                         .ports = {},
                         .client_affinity = service.client_affinity,
                         .source_ranges = service.source_ranges};
  std::set<FrontendKey> claimed;  // a way that the service has twice leads to its first port
  for (const ServicePort& port : service.ports)
    for (const IPFamily family : {IPFamily::v4, IPFamily::v6}) {
      ProgramServicePort made{.name = port.name,
                              .family = family,
                              .protocol = port.protocol,
                              .frontends = frontends_of(service, port, family),
                              .backends = {},
                              .local_backends = {}};
      std::erase_if(made.frontends, [&](const ProgramFrontend& frontend) {
        return !claimed.insert(key_of(made, frontend)).second;
      });
      if (made.frontends.empty()) continue;
      const Candidates candidates = candidates_of(port, family, slices, view);
      made.backends = cluster_backends(candidates, service.prefers_zone, view);
      made.local_backends =
          usable_backends(candidates, [](const Candidate& c) { return c.is_local; });
      program.ports.push_back(std::move(made));
    }
  return program;
}

FrontendKey key_of(const ProgramServicePort& port, const ProgramFrontend& frontend) {
  return {.address = frontend.address,
          .family = port.family,
          .protocol = port.protocol,
          .port = frontend.port};
}

std::string to_string(const FrontendKey& key) {
  const std::string protocol = protocol_name(key.protocol);
  if (!key.address)
    return fmt::format("node port {}/{} (IPv{})", key.port, protocol, static_cast<int>(key.family));
  const std::string address = key.address->to_string();
  return key.address->is_v4() ? fmt::format("{}:{}/{}", address, key.port, protocol)
                              : fmt::format("[{}]:{}/{}", address, key.port, protocol);
}

}  // namespace margay::policy
