#include "vector/control/configured.h"

#include <algorithm>

#include "vector/control/ports.h"

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Prefix;
using base::Result;

policy::PolicyKey policy_key(const std::string& name) { return {.name = name}; }

// A direction that none of the workload's policies decides about is open, as in Kubernetes.
policy::ProgramWorkload program_of(const std::string& name, const Configuration& configuration) {
  const auto& settings = configuration.workloads.at(name);
  policy::ProgramWorkload workload;
  workload.endpoint.key = workload_key(name);
  workload.endpoint.interface_name = settings.interface;
  workload.endpoint.mac = settings.mac.to_string();
  workload.endpoint.addresses = settings.addresses;
  workload.endpoint.profiles = {std::string(policy::k_default_allow_profile)};
  policy::ProgramTier tier{.name = "default"};
  for (const auto& each : settings.policies) {
    const auto& policy = configuration.policies.at(each);
    if (policy.has_ingress) tier.ingress.push_back(policy_key(each));
    if (policy.has_egress) tier.egress.push_back(policy_key(each));
  }
  if (!tier.ingress.empty() || !tier.egress.empty()) workload.tiers.push_back(std::move(tier));
  return workload;
}

policy::ProfileUpdate open_profile() {
  policy::ProgramRules open;
  open.ingress = {{.action = policy::Action::allow, .id = "default-allow-ingress"}};
  open.egress = {{.action = policy::Action::allow, .id = "default-allow-egress"}};
  return {std::string(policy::k_default_allow_profile),
          std::make_shared<const policy::ProgramRules>(std::move(open))};
}

bool is_in(const std::vector<base::IPAddress>& addresses, const base::IPAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

}  // namespace

policy::WorkloadKey workload_key(const std::string& name) { return {"", "file", name, "eth0"}; }

std::string Configured::interface_name(InterfaceIndex index) const {
  const auto found =
      std::ranges::find(interfaces_, index, &decltype(interfaces_)::value_type::second);
  return found == interfaces_.end() ? "" : found->first;
}

Result<> Configured::start(Configuration configuration) {
  for (const auto& settings : configuration.interfaces) {
    MARGAY_TRY(const auto config, start_port(settings, engine_.workers(), engine_.buffers()));
    MARGAY_TRY(interfaces_[settings.name], engine_.add_interface(config));
  }
  current_.interfaces = configuration.interfaces;
  engine_.apply(open_profile());
  return change_to(std::move(configuration));
}

// An address may go from a route to a workload, from there to a service, and so on: so first all
// that goes is taken away, and then all that comes is put there.
Result<> Configured::change_to(Configuration next) {
  if (next.interfaces != current_.interfaces)
    return fail(ErrorCode::unsupported,
                "interfaces: they are made at start; to change them, start the engine again");
  withdraw_addresses(next);
  change_policy(next);
  engine_.publish();
  set_node_addresses(next);
  set_routes(next);
  auto done = set_services(next);
  engine_.publish();  // sessions look at what they are about once more
  current_ = std::move(next);
  return done;
}

void Configured::withdraw_addresses(const Configuration& next) {
  auto& forwarding = engine_.forwarding();
  for (const auto& address : current_.node_addresses)
    if (!is_in(next.node_addresses, address)) forwarding.erase_route(Prefix(address));
  for (const auto& [destination, route] : current_.routes)
    if (!next.routes.contains(destination)) forwarding.erase_route(destination);
  for (const auto& [name, service] : current_.services)
    if (!next.services.contains(name)) engine_.remove_service(name);
}

void Configured::set_node_addresses(const Configuration& next) {
  if (next.node_addresses == current_.node_addresses) return;
  NodeAddresses own;
  for (const auto& address : next.node_addresses) {
    engine_.forwarding().set_route(Prefix(address), NextHop{.kind = Adjacency::Kind::local});
    if (address.is_v4())
      std::memcpy(&own.v4.emplace(), address.bytes().data(), 4);
    else
      std::ranges::copy(address.bytes(), own.v6.emplace().begin());
  }
  engine_.set_node_addresses(own);
}

Result<> Configured::set_services(const Configuration& next) {
  for (const auto& [name, service] : next.services) {
    const auto before = current_.services.find(name);
    if (before == current_.services.end() || before->second != service)
      MARGAY_CHECK(engine_.set_service(service));
  }
  return {};
}

NextHop Configured::next_hop(const RouteSettings& route) const {
  if (route.kind != Adjacency::Kind::transit) return {.kind = route.kind};
  return {.kind = route.kind, .interface = interfaces_.at(route.interface), .mac = route.mac};
}

void Configured::set_routes(const Configuration& next) {
  for (const auto& [destination, route] : next.routes) {
    const auto before = current_.routes.find(destination);
    if (before == current_.routes.end() || before->second != route)
      engine_.forwarding().set_route(destination, next_hop(route));
  }
}

// Policies before the workloads that list them, and the reverse for what goes.
void Configured::change_policy(const Configuration& next) {
  for (const auto& [name, policy] : next.policies) {
    const auto before = current_.policies.find(name);
    if (before == current_.policies.end() || before->second != policy)
      engine_.apply(policy::PolicyUpdate{policy_key(name), policy.rules});
  }
  for (const auto& [name, workload] : current_.workloads)
    if (!next.workloads.contains(name)) engine_.apply(policy::WorkloadRemove{workload_key(name)});
  for (const auto& [name, workload] : next.workloads) {
    auto program = program_of(name, next);
    if (current_.workloads.contains(name) && program_of(name, current_) == program) continue;
    engine_.apply(policy::WorkloadUpdate{std::move(program)});
  }
  for (const auto& [name, policy] : current_.policies)
    if (!next.policies.contains(name)) engine_.apply(policy::PolicyRemove{policy_key(name)});
}

}  // namespace margay::vector
