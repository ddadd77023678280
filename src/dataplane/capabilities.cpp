#include "dataplane/capabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace margay::dataplane {
namespace {

using policy::Encapsulation;

struct Capability {
  bool Capabilities::* has;
  const char* name;
};
constexpr Capability k_capabilities[] = {
    {&Capabilities::host_endpoints, "host endpoints"},
    {&Capabilities::services, "services"},
    {&Capabilities::log_action, "Log rules"},
    {&Capabilities::ipv6, "IPv6"},
    {&Capabilities::nat_outgoing, "NAT outgoing"},
    {&Capabilities::floating_ips, "floating IPs"},
    {&Capabilities::vxlan, "VXLAN"},
    {&Capabilities::ipip, "IPIP"},
    {&Capabilities::wireguard, "WireGuard"},
};

class GapFinder {
 public:
  explicit GapFinder(const Capabilities& capabilities) : capabilities_(capabilities) {}

  void operator()(const policy::HostEndpointUpdate& update) {
    need(&Capabilities::host_endpoints, "host endpoint " + update.endpoint.endpoint.key.id(),
         "is not enforced");
  }
  void operator()(const policy::PolicyUpdate& update) {
    rules("policy " + update.key.id(), *update.rules);
  }
  void operator()(const policy::ProfileUpdate& update) {
    rules("profile " + update.name, *update.rules);
  }
  void operator()(const policy::WorkloadUpdate& update) {
    const auto& endpoint = update.workload.endpoint;
    const std::string what = "workload endpoint " + endpoint.key.id();
    if (!endpoint.floating_ips.empty())
      need(&Capabilities::floating_ips, what, "is not reached by its floating IPs");
    if (std::ranges::any_of(endpoint.addresses, [](const auto& a) { return !a.is_v4(); }))
      need(&Capabilities::ipv6, what, "passes no IPv6");
  }
  void operator()(const policy::PoolUpdate& update) {
    const auto& pool = update.pool;
    const std::string what = "IP pool " + pool.name;
    if (pool.vxlan != Encapsulation::never)
      need(&Capabilities::vxlan, what, "is not routed between nodes");
    if (pool.ipip != Encapsulation::never)
      need(&Capabilities::ipip, what, "is not routed between nodes");
    if (pool.nat_outgoing)
      need(&Capabilities::nat_outgoing, what, "is not translated on its way out");
  }
  template <typename Other>
  void operator()(const Other&) {}

  std::vector<Gap> take() { return std::move(found_); }

 private:
  void need(bool Capabilities::* has, std::string what, std::string consequence) {
    if (capabilities_.*has) return;
    const auto named = std::ranges::find(k_capabilities, has, &Capability::has);
    found_.push_back(
        {.what = std::move(what), .consequence = std::move(consequence), .lacks = named->name});
  }
  void rules(const std::string& what, const policy::ProgramRules& rules) {
    const auto logs = [](const policy::ProgramRule& rule) {
      return rule.action == policy::Action::log;
    };
    if (std::ranges::any_of(rules.ingress, logs) || std::ranges::any_of(rules.egress, logs))
      need(&Capabilities::log_action, what, "logs nothing");
  }

  const Capabilities& capabilities_;
  std::vector<Gap> found_;
};

}  // namespace

std::string Gap::message(const Capabilities& capabilities) const {
  return fmt::format("{} {}: the {} data plane has no {}", what, consequence, capabilities.name,
                     lacks);
}

std::vector<std::string> missing(const Capabilities& capabilities) {
  std::vector<std::string> names;
  for (const auto& [has, name] : k_capabilities)
    if (!(capabilities.*has)) names.emplace_back(name);
  return names;
}

std::vector<Gap> gaps(const Capabilities& capabilities, const policy::Delta& delta) {
  GapFinder finder(capabilities);
  std::visit(finder, delta);
  return finder.take();
}

namespace {

template <typename... Kinds>
bool is_one_of(const policy::Delta& delta) {
  return (std::holds_alternative<Kinds>(delta) || ...);
}

}  // namespace

bool accepts(const Capabilities& capabilities, const policy::Delta& delta) {
  if (is_one_of<policy::HostEndpointUpdate, policy::HostEndpointRemove>(delta))
    return capabilities.host_endpoints;
  if (is_one_of<policy::ServiceUpdate, policy::ServiceRemove>(delta)) return capabilities.services;
  return !is_one_of<policy::UnprogrammedUpdate, policy::UnprogrammedRemove>(delta);
}

}  // namespace margay::dataplane
