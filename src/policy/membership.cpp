#include "policy/membership.h"

#include "policy/evaluate.h"

namespace margay::policy {
namespace {

std::vector<Prefix> as_nets(const std::vector<IPAddress>& addresses) {
  std::vector<Prefix> nets;
  nets.reserve(addresses.size());
  for (const IPAddress& address : addresses) nets.emplace_back(address);
  return nets;
}

}  // namespace

Membership::Membership(const Model& model) {
  for (const auto& [key, endpoint] : model.workloads)
    members_.push_back({effective_labels(model, endpoint.labels, endpoint.profiles),
                        as_nets(endpoint.addresses), &endpoint.ports});
  for (const auto& [key, endpoint] : model.host_endpoints)
    members_.push_back({effective_labels(model, endpoint.labels, endpoint.profiles),
                        as_nets(endpoint.expected_addresses), &endpoint.ports});
  for (const auto& [key, set] : model.network_sets)
    members_.push_back({effective_labels(model, set.labels, set.profiles), set.nets, nullptr});
}

bool Membership::contains(const Selector& selector, const IPAddress& address) {
  return answer(selector).nets.contains(address);
}

bool Membership::has_named_port(const Selector& selector, const std::string& name,
                                const IPAddress& address, uint8_t protocol, uint16_t port) {
  return answer(selector).named_ports.contains({name, address, protocol, port});
}

const Membership::Answer& Membership::answer(const Selector& selector) {
  const auto [found, is_new] = answers_.try_emplace(selector.text());
  if (is_new)
    for (const Member& member : members_)
      if (selector.matches(member.labels)) add(found->second, member);
  return found->second;
}

void Membership::add(Answer& answer, const Member& member) {
  for (const Prefix& net : member.nets) answer.nets.insert(net);
  if (member.ports == nullptr) return;
  for (const NamedPort& port : *member.ports)
    for (const Prefix& net : member.nets)
      answer.named_ports.emplace(port.name, net.address(), port.protocol, port.port);
}

}  // namespace margay::policy
