#pragma once

// What services mean, in the simplest form: no tables, no numbers, everything looked up from the
// configurations each time. The tests hold ServiceTable to it.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "vector/service/flow_hash.h"
#include "vector/service/service_table.h"

namespace margay::vector::testing {

struct Expected {
  Choice::Result result = Choice::Result::not_a_service;
  std::string service;
  bool masquerade = false;
  std::vector<BackendIdentity> allowed;
  BackendIdentity by_hash;               // the Maglev table's choice
  std::optional<BackendIdentity> bound;  // by affinity; goes before by_hash
};

class ServiceModel {
 public:
  void set(const ServiceConfig& config) {
    auto& known = services_[config.name];
    if (config.affinity_seconds == 0) forget(config.name);
    known = config;
    known.backends = merged(config.backends);
  }
  void remove(const std::string& name) {
    services_.erase(name);
    forget(name);
  }
  const std::map<std::string, ServiceConfig>& services() const { return services_; }

  // Who has the frontend: the oldest of those that claim it.
  const ServiceConfig* owner(const FlowTuple& flow) const {
    const ServiceConfig* best = nullptr;
    for (const auto& [name, config] : services_)
      if (frontend_of(config, flow) &&
          (!best || std::tie(config.age, config.name) < std::tie(best->age, best->name)))
        best = &config;
    return best;
  }

  Expected judge(const FlowTuple& flow, uint64_t now_ms) {
    Expected expected;
    const auto* service = owner(flow);
    if (!service) {
      if (is_service_address(flow)) expected.result = Choice::Result::no_port;
      return expected;
    }
    const auto& frontend = *frontend_of(*service, flow);
    expected.service = service->name;
    expected.masquerade = frontend.masquerade;
    expected.allowed = allowed(*service, frontend);
    if (frontend.restricted && !in_ranges(*service, flow)) {
      expected.result = Choice::Result::not_allowed;
    } else if (expected.allowed.empty()) {
      expected.result = Choice::Result::no_backend;
    } else {
      expected.result = Choice::Result::chosen;
      choose(*service, flow, now_ms, &expected);
    }
    return expected;
  }

  // What was really chosen: it is what a client is bound to.
  void chosen(const FlowTuple& flow, const std::string& service, const BackendIdentity& backend,
              uint64_t now_ms) {
    const auto seconds = services_.at(service).affinity_seconds;
    if (seconds != 0)
      affinity_[{service, flow.family, flow.client}] = {backend, now_ms + uint64_t{seconds} * 1000};
  }

 private:
  struct Binding {
    BackendIdentity backend;
    uint64_t until_ms;
  };

  // Of a backend that is listed more than once, all that is said of it holds.
  static std::vector<Backend> merged(const std::vector<Backend>& backends) {
    std::map<BackendIdentity, Backend> by_identity;
    for (const auto& each : backends) {
      auto& known = by_identity[each.identity];
      known.identity = each.identity;
      known.ready |= each.ready;
      known.draining |= each.draining;
      known.local |= each.local;
    }
    std::vector<Backend> result;
    result.reserve(by_identity.size());
    for (const auto& [identity, backend] : by_identity) result.push_back(backend);
    return result;
  }

  static const Frontend* frontend_of(const ServiceConfig& config, const FlowTuple& flow) {
    for (const auto& each : config.frontends)
      if (is_at(each, flow) && each.protocol == flow.protocol && each.port == flow.service_port)
        return &each;
    return nullptr;
  }
  static bool is_at(const Frontend& frontend, const FlowTuple& flow) {
    return static_cast<uint8_t>(frontend.address.family()) == flow.family &&
           address_bytes(frontend.address) == flow.service;
  }
  bool is_service_address(const FlowTuple& flow) const {
    bool exclusive = false;
    for (const auto& [name, config] : services_)
      for (const auto& each : config.frontends) {
        if (!is_at(each, flow)) continue;
        if (each.shared_address) return false;
        exclusive = true;
      }
    return exclusive;
  }

  static std::vector<BackendIdentity> allowed(const ServiceConfig& service,
                                              const Frontend& frontend) {
    std::vector<BackendIdentity> ready, draining;
    for (const auto& each : service.backends) {
      if (each.identity.address.family() != frontend.address.family()) continue;
      if (frontend.local_only && !each.local) continue;
      if (each.ready) ready.push_back(each.identity);
      if (each.draining) draining.push_back(each.identity);
    }
    auto& result = ready.empty() ? draining : ready;
    std::ranges::sort(result);
    return result;
  }
  static bool in_ranges(const ServiceConfig& service, const FlowTuple& flow) {
    const auto client =
        *base::IPAddress::from_bytes({flow.client.data(), flow.family == 4 ? 4U : 16U});
    return std::ranges::any_of(service.source_ranges,
                               [&](const auto& each) { return each.contains(client); });
  }

  void choose(const ServiceConfig& service, const FlowTuple& flow, uint64_t now_ms,
              Expected* expected) {
    const bool affinity = service.affinity_seconds != 0;
    const uint64_t hash = affinity ? hash_client(flow.client, flow.family)
                                   : hash_flow(flow, hash_service_address(flow.service));
    const auto& table = maglev(expected->allowed);
    expected->by_hash = expected->allowed[table[(hash >> 32) * table.size() >> 32]];
    if (!affinity) return;
    const auto found = affinity_.find({service.name, flow.family, flow.client});
    if (found != affinity_.end() && found->second.until_ms > now_ms &&
        std::ranges::count(expected->allowed, found->second.backend) != 0)
      expected->bound = found->second.backend;
  }

  // The paper's pseudocode, and nothing clever. Kept, because it takes its time.
  const std::vector<int>& maglev(const std::vector<BackendIdentity>& backends) {
    auto& entry = tables_[backends];
    if (!entry.empty()) return entry;
    entry.assign(k_maglev_size, -1);
    std::vector<uint64_t> next(backends.size());
    for (size_t filled = 0;;) {
      for (size_t i = 0; i < backends.size(); ++i) {
        const auto permutation = maglev_permutation(backends[i]);
        while (entry[permutation.slot(next[i])] >= 0) ++next[i];
        entry[permutation.slot(next[i])] = static_cast<int>(i);
        ++next[i];
        if (++filled == k_maglev_size) return entry;
      }
    }
  }

  void forget(const std::string& name) {
    std::erase_if(affinity_, [&](const auto& each) { return std::get<0>(each.first) == name; });
  }

  std::map<std::string, ServiceConfig> services_;
  std::map<std::tuple<std::string, uint8_t, AddressBytes>, Binding> affinity_;
  std::map<std::vector<BackendIdentity>, std::vector<int>> tables_;
};

}  // namespace margay::vector::testing
