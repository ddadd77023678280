#include "vector/control/listings.h"

#include <boost/json/array.hpp>

#include "vector/control/frame_text.h"
#include "vector/drop_reason.h"

namespace margay::vector {
namespace {

namespace json = boost::json;

constexpr std::string_view k_drop = "drop-";

std::map<std::string, NodeCount> sums(const std::vector<std::vector<NodeCount>>& workers) {
  std::map<std::string, NodeCount> sums;
  for (const auto& worker : workers)
    for (const auto& node : worker) {
      auto& sum = sums[node.name];
      sum.name = node.name;
      sum.calls += node.calls;
      sum.packets += node.packets;
      sum.cycles += node.cycles;
    }
  return sums;
}

double ratio(uint64_t a, uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

std::string_view action_name(policy::Action action) {
  switch (action) {
    case policy::Action::allow:
      return "Allow";
    case policy::Action::deny:
      return "Deny";
    case policy::Action::pass:
      return "Pass";
    case policy::Action::log:
      return "Log";
  }
  return "";
}

json::array rules_json(Engine& engine, const std::string& workload, policy::Direction direction) {
  json::array rules;
  for (const auto& line : engine.classifier().rules_of(workload_key(workload), direction))
    rules.push_back({{"place", line.place},
                     {"action", action_name(line.action)},
                     {"rule", line.text},
                     {"flows", engine.rule_count(line.counter)}});
  return rules;
}

json::object counts_json(const ServiceCounts& counts) {
  return {{"flows", counts.flows}, {"refused", counts.refused}};
}

json::object service_json(const ServiceStatus& service) {
  json::array frontends, backends;
  for (const auto& [frontend, is_ours] : service.frontends)
    frontends.push_back({{"address", frontend.address.to_string()},
                         {"port", frontend.port},
                         {"protocol", protocol_name(frontend.protocol)},
                         {"active", is_ours}});
  for (const auto& each : service.backends)
    backends.push_back({{"address", each.backend.identity.address.to_string()},
                        {"port", each.backend.identity.port},
                        {"ready", each.backend.ready},
                        {"draining", each.backend.draining},
                        {"counts", counts_json(each.counts)}});
  return {{"name", service.name},
          {"frontends", std::move(frontends)},
          {"backends", std::move(backends)},
          {"counts", counts_json(service.counts)}};
}

}  // namespace

json::object nodes_json(const std::vector<std::vector<NodeCount>>& workers) {
  json::array nodes;
  for (const auto& [name, count] : sums(workers))
    if (!name.starts_with(k_drop))
      nodes.push_back({{"name", name},
                       {"calls", count.calls},
                       {"packets", count.packets},
                       {"cyclesPerPacket", ratio(count.cycles, count.packets)},
                       {"packetsPerCall", ratio(count.packets, count.calls)}});
  return {{"nodes", std::move(nodes)}};
}

json::object drops_json(const std::vector<std::vector<NodeCount>>& workers, bool all) {
  const auto counts = sums(workers);
  json::array drops;
  // Reason `none` is no drop.
  for (size_t reason = 1; reason < k_drop_reasons; ++reason) {
    const auto& text = text_of(static_cast<DropReason>(reason));
    const auto found = counts.find(std::string(k_drop) + std::string(text.name));
    const uint64_t packets = found == counts.end() ? 0 : found->second.packets;
    if (packets > 0 || all)
      drops.push_back(
          {{"name", text.name}, {"description", text.description}, {"packets", packets}});
  }
  return {{"drops", std::move(drops)}};
}

json::object policies_json(Engine& engine, const Configuration& configuration) {
  json::array workloads;
  for (const auto& [name, settings] : configuration.workloads)
    workloads.push_back({{"workload", name},
                         {"ingress", rules_json(engine, name, policy::Direction::ingress)},
                         {"egress", rules_json(engine, name, policy::Direction::egress)}});
  return {{"workloads", std::move(workloads)}};
}

json::object services_json(const ServiceTable& services) {
  json::array list;
  for (const auto& service : services.list()) list.push_back(service_json(service));
  return {{"services", std::move(list)}};
}

}  // namespace margay::vector
