#include "policy/passage.h"

#include <algorithm>

namespace margay::policy {
namespace {

constexpr std::string_view k_all_interfaces = "*";
constexpr const char* k_loopback = "lo";

bool is_for_all(const HostEndpoint& endpoint) {
  return endpoint.interface_name == k_all_interfaces;
}

bool expects_an_address_of(const HostEndpoint& endpoint, const HostInterface& interface) {
  return std::ranges::any_of(endpoint.expected_addresses, [&](const IPAddress& expected) {
    return std::ranges::count(interface.addresses, expected) > 0;
  });
}

// The lowest of a node's host endpoints for which `fits` holds: their keys are in order.
const HostEndpoint* lowest(const Model& model, const std::string& node, const auto& fits) {
  for (auto entry = model.host_endpoints.lower_bound({node, ""});
       entry != model.host_endpoints.end() && entry->first.node == node; ++entry)
    if (fits(entry->second)) return &entry->second;
  return nullptr;
}

const HostEndpoint* governor_of_all(const Model& model, const std::string& node) {
  return lowest(model, node, is_for_all);
}

class Way {
 public:
  Way(const Evaluator& evaluator, const Model& model, const HostTrafficSettings& settings,
      const Passage& passage, bool with_steps)
      : evaluator_(evaluator),
        model_(model),
        settings_(settings),
        passage_(passage),
        with_steps_(with_steps),
        arrived_(passage.packet) {
    if (!passage.original) return;
    arrived_.destination = passage.original->destination;
    arrived_.destination_port = passage.original->port;
  }

  PassageDecision go() {
    if (is_of_the_host()) return leave();
    const bool may_leave = ask_workload(passage_.from, Direction::egress);
    const bool may_enter = ask_workload(passage_.to, Direction::ingress);
    const bool passes = may_leave && comes_in() && goes_out() && reaches_its_host() && may_enter;
    result_.verdict = passes ? Verdict::allow : Verdict::deny;
    return std::move(result_);
  }

 private:
  // A host endpoint as the packet meets it.
  struct Gate {
    const HostEndpoint& endpoint;
    std::string interface;
    Direction direction;
  };

  bool is_of_the_host() const { return !passage_.in && passage_.from == nullptr; }
  bool is_for_the_host() const { return !passage_.out && passage_.to == nullptr; }

  std::optional<Gate> gate_at(const std::optional<HostInterface>& interface,
                              Direction direction) const {
    if (!interface) return std::nullopt;
    const auto* governor =
        governor_of(model_, settings_.workload_interfaces, passage_.node, *interface);
    if (governor == nullptr) return std::nullopt;
    return Gate{*governor, interface->name, direction};
  }

  // By which a process's packet was to leave, before the address of a service was translated.
  std::optional<HostInterface> first_way_out() const {
    if (!passage_.original) return passage_.out;
    if (passage_.original->is_the_hosts) return HostInterface{.name = k_loopback, .addresses = {}};
    return passage_.original->out ? passage_.original->out : passage_.out;
  }

  // What a process of the host's sends.
  PassageDecision leave() {
    if (const auto untracked = leave_untracked(gate_at(first_way_out(), Direction::egress)))
      result_.verdict = *untracked;
    // Health probes: what is for workloads of its node passes.
    else if (const auto gate = gate_at(passage_.out, Direction::egress); gate && !passage_.to)
      result_.verdict = ask_for_the_host(*gate) ? Verdict::allow : Verdict::deny;
    return std::move(result_);
  }

  // Nothing: it is tracked.
  std::optional<Verdict> leave_untracked(const std::optional<Gate>& gate) {
    if (!gate || spares(*gate, arrived_) || answers_a_failsafe(*gate)) return std::nullopt;
    return ask(*gate, Stage::untracked, arrived_);
  }

  // Each of the next says whether the packet goes on.

  bool ask_workload(const WorkloadEndpoint* workload, Direction direction) {
    if (workload == nullptr) return true;
    const bool enters = direction == Direction::ingress;
    auto& decision = enters ? result_.ingress : result_.egress;
    auto& steps = enters ? result_.ingress_steps : result_.egress_steps;
    decision =
        evaluator_.evaluate(*workload, direction, passage_.packet, with_steps_ ? &steps : nullptr);
    return decision->verdict == Verdict::allow;
  }

  bool comes_in() {
    const auto gate = gate_at(passage_.in, Direction::ingress);
    if (!gate) return true;
    const bool is_the_hosts =
        passage_.original ? passage_.original->is_the_hosts : is_for_the_host();
    const bool is_spared = is_the_hosts && spares(*gate, arrived_);
    if (!is_spared) {
      if (!is_the_hosts || !answers_a_failsafe(*gate))
        if (const auto decided = ask(*gate, Stage::untracked, arrived_))
          return *decided == Verdict::allow;
      if (const auto decided = ask(*gate, Stage::pre_dnat, arrived_))
        return *decided == Verdict::allow;
    }
    if (!is_for_the_host()) return ask(*gate, Stage::forward, passage_.packet) != Verdict::deny;
    return ask_for_the_host(*gate);
  }

  bool goes_out() {
    const auto gate = gate_at(passage_.out, Direction::egress);
    return !gate || ask(*gate, Stage::forward, passage_.packet) != Verdict::deny;
  }

  // A workload's packet for a process of its host.
  bool reaches_its_host() {
    using FromWorkload = HostTrafficSettings::FromWorkload;
    if (passage_.from == nullptr || !is_for_the_host()) return true;
    result_.dropped_for_the_host = settings_.from_workload == FromWorkload::drop;
    if (settings_.from_workload != FromWorkload::return_to_host)
      return !result_.dropped_for_the_host;
    const auto* governor = governor_of_all(model_, passage_.node);
    return governor == nullptr ||
           ask_for_the_host({*governor, passage_.from->interface_name, Direction::ingress});
  }

  bool ask_for_the_host(const Gate& gate) {
    return spares(gate, passage_.packet) ||
           ask(gate, Stage::normal, passage_.packet) == Verdict::allow;
  }

  // Whether a failsafe keeps the host endpoint from being asked.
  bool spares(const Gate& gate, const Packet& packet) {
    if (!is_failsafe(settings_.failsafes, gate.direction, packet)) return false;
    const bool is_told = !result_.host.empty() && !result_.host.back().stage &&
                         result_.host.back().endpoint == gate.endpoint.key;
    if (is_told) return true;
    result_.host.push_back(
        {.endpoint = gate.endpoint.key, .interface = gate.interface, .direction = gate.direction});
    return true;
  }

  // doNotTrack is not asked of it, so that no half of a failsafe's flow goes untracked.
  bool answers_a_failsafe(const Gate& gate) const {
    return answers_failsafe(settings_.failsafes, gate.direction, arrived_);
  }

  // Nothing: the stage leaves the packet to what comes next.
  std::optional<Verdict> ask(const Gate& gate, Stage stage, const Packet& packet) {
    if (stage == Stage::untracked && is_for_all(gate.endpoint)) return std::nullopt;
    std::vector<Step> steps;
    const auto decision = evaluator_.evaluate(gate.endpoint, stage, gate.direction, packet,
                                              with_steps_ ? &steps : nullptr);
    if (decision || !steps.empty())
      result_.host.push_back({.endpoint = gate.endpoint.key,
                              .interface = gate.interface,
                              .direction = gate.direction,
                              .stage = stage,
                              .decision = decision,
                              .steps = std::move(steps)});
    return decision ? std::optional(decision->verdict) : std::nullopt;
  }

  const Evaluator& evaluator_;
  const Model& model_;
  const HostTrafficSettings& settings_;
  const Passage& passage_;
  const bool with_steps_;
  Packet arrived_;  // as the stages before the translation of addresses see it
  PassageDecision result_;
};

}  // namespace

const HostEndpoint* governor_of(const Model& model, const WorkloadInterfaces& workload_interfaces,
                                const std::string& node, const HostInterface& interface) {
  if (workload_interfaces.contains(interface.name)) return nullptr;
  if (!interface.name.empty())
    if (const auto* named = lowest(model, node, [&](const HostEndpoint& endpoint) {
          return endpoint.interface_name == interface.name;
        }))
      return named;
  if (const auto* expecting = lowest(model, node, [&](const HostEndpoint& endpoint) {
        return endpoint.interface_name.empty() && expects_an_address_of(endpoint, interface);
      }))
    return expecting;
  return governor_of_all(model, node);
}

PassageDecision judge(const Evaluator& evaluator, const Model& model,
                      const HostTrafficSettings& settings, const Passage& passage,
                      bool with_steps) {
  return Way(evaluator, model, settings, passage, with_steps).go();
}

}  // namespace margay::policy
