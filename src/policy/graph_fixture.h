#pragma once

// For tests of the graph.

#include <set>
#include <string>
#include <utility>
#include <variant>

#include "policy/graph.h"
#include "policy/graph_reference.h"
#include "policy/program_state.h"
#include "policy/service_program.h"

namespace margay::policy {

inline constexpr const char* k_node = "node-a";

// A graph, the model its input adds up to and the program its output adds up to.
class Observed {
 public:
  explicit Observed(const RulesBudget& budget = k_rules_budget) : budget_(budget) {}

  void change(const ModelChange& change) {
    model_.apply(change);
    graph_.on_change(change);
  }
  void in_sync() { graph_.on_in_sync(); }

  // What is wrong with the deltas since the last flush; empty when they keep the protocol, none is
  // superfluous, and they lead to the program that belongs to the model.
  std::string flush() {
    for (const Delta& delta : graph_.flush())
      if (std::string fault = apply(delta); !fault.empty()) return fault;
    if (!(program_ == reference_program(model_, k_node, budget_)))
      return "the program is not that of the model";
    return contended();
  }

  const Model& model() const { return model_; }
  const ProgramState& program() const { return program_; }
  Graph& graph() { return graph_; }

 private:
  // What two endpoints or services of the program have; empty when all has one owner.
  std::string contended() const {
    std::set<std::string> owned;
    const auto is_second = [&owned](const std::string& what) { return !owned.insert(what).second; };
    for (const auto& [key, workload] : program_.workloads) {
      const std::string& interface = workload.endpoint.interface_name;
      if (!interface.empty() && is_second(interface)) return "two have interface " + interface;
      for (const IPAddress& address : workload.endpoint.addresses)
        if (is_second(address.to_string())) return "two have address " + address.to_string();
      for (const FloatingIP& ip : workload.endpoint.floating_ips)
        if (is_second("floating " + ip.external.to_string())) return "two have a floating IP";
    }
    for (const auto& [key, endpoint] : program_.host_endpoints) {
      if (endpoint.every_other_interface && is_second("*")) return "two have every interface";
      for (const std::string& name : endpoint.interfaces)
        if (is_second(name)) return "two have interface " + name;
    }
    for (const auto& [key, service] : program_.services)
      for (const ProgramServicePort& port : service.ports)
        for (const ProgramFrontend& frontend : port.frontends)
          if (is_second(to_string(key_of(port, frontend)))) return "two have a frontend";
    return {};
  }

  std::string apply(const Delta& delta) {
    const ProgramState before = program_;
    if (const auto* update = std::get_if<SetUpdate>(&delta);
        update && before.sets.contains(update->id))
      return "set " + update->id + " is sent whole a second time";
    if (const auto applied = program_.apply(delta); !applied) return applied.error().message;
    if (program_ == before) return "a delta changes nothing";
    return {};
  }

  const RulesBudget budget_;
  Graph graph_{k_node, {}, budget_};
  Model model_;
  ProgramState program_;
};

inline Selector selector(const char* text) { return *Selector::parse(text); }

inline WorkloadEndpoint pod(const char* name, const char* node, const char* address,
                            Labels labels) {
  return {.key = {node, "k8s", std::string("shop/") + name, "eth0"},
          .ns = "shop",
          .interface_name = std::string("cali-") + name,
          .addresses = {*IPAddress::parse(address)},
          .labels = std::move(labels),
          .profiles = {"kns.shop"},
          .ports = {{"http", k_tcp, 8080}}};
}

inline Policy allow_from(const char* name, const char* to, const char* from) {
  return {.key = {.name = name},
          .order = 10,
          .selector = selector(to),
          .ingress = {{.source = {.selector = selector(from)}}}};
}

}  // namespace margay::policy
