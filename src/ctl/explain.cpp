#include "ctl/explain.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <iterator>

#include "policy/protocol.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using policy::Decision;
using policy::Direction;
using policy::HostDecision;
using policy::Packet;
using policy::Step;

size_t rule_index(const Cluster& cluster, Direction direction, const Step& step) {
  return step.policy ? cluster.rule_index(*step.policy, direction, *step.rule) : *step.rule;
}

// "shop/web (10.0.0.1)", or the address of nobody we know.
std::string describe(const End& end) {
  const std::string address = end.address.to_string();
  return end.name.empty() ? address : fmt::format("{} ({})", end.name, address);
}

std::string describe(const Packet& packet) {
  std::string protocol = policy::protocol_name(packet.protocol);
  if (packet.protocol == policy::k_icmp || packet.protocol == policy::k_icmpv6)
    return fmt::format("{} type {} code {}", protocol, packet.icmp_type, packet.icmp_code);
  if (packet.source_port == 0 && packet.destination_port == 0) return protocol;
  return fmt::format("{} port {}", protocol, packet.destination_port);
}

std::string_view reason(const Decision& decision) {
  switch (decision.by) {
    case Decision::By::policy_rule:
    case Decision::By::profile_rule:
      return "decided by this rule";
    case Decision::By::end_of_tier:
      return "policy applies here and no rule of it matched: denied at the end of the tier";
    case Decision::By::no_profile_matched:
      return "no profile's rule matched: denied";
    case Decision::By::endpoint_down:
      return "the endpoint is administratively down: denied";
  }
  return "";
}

bool is_decisive(const Decision& decision, const Step& step) {
  const bool by_rule =
      decision.by == Decision::By::policy_rule || decision.by == Decision::By::profile_rule;
  return by_rule && step.matched && step.rule == decision.rule && step.policy == decision.policy &&
         step.profile == decision.profile && step.action != policy::Action::log;
}

// Whether this step is the last of a tier in which nothing was decided and that leaves the packet
// to what comes next. Of stages whose tiers have an end.
bool ends_by_passing(const Decision& decision, const std::vector<Step>& steps, size_t i) {
  const Step& step = steps[i];
  if (step.tier.empty() || (i + 1 < steps.size() && steps[i + 1].tier == step.tier)) return false;
  const bool decides = step.matched && step.action != policy::Action::log;
  const bool is_last = decision.tier == step.tier;
  return !decides && !is_last;
}

bool tiers_end(const HostDecision& said) {
  return said.stage && policy::has_end_of_tier(*said.stage);
}

// Lines of one side, with a heading wherever the policy or profile changes.
class SideText {
 public:
  SideText(const Cluster& cluster, Direction direction, std::string& out, bool tiers_end = true)
      : cluster_(cluster), direction_(direction), out_(out), tiers_end_(tiers_end) {}

  void print(std::string_view who, const Decision& decision, const std::vector<Step>& steps) {
    line("{}: {}", who, to_string(decision.verdict));
    print(decision, steps);
    if (!decided_) line("  {}", reason(decision));
  }
  // The host endpoint that says it decides nothing, or that a failsafe did.
  void print(const HostDecision& said) {
    const auto who = fmt::format("host endpoint {} on {}{}{}, {}, {}", said.endpoint.name,
                                 said.endpoint.node, said.interface.empty() ? "" : " ",
                                 said.interface, to_string(said.direction), stage_of(said));
    if (said.decision) return print(who, *said.decision, said.steps);
    line("{}: {}", who, said.stage ? "goes on" : "allow");
    print(Decision{}, said.steps);
  }

 private:
  void print(const Decision& decision, const std::vector<Step>& steps) {
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i == 0 || steps[i].policy != steps[i - 1].policy ||
          steps[i].profile != steps[i - 1].profile)
        heading(steps[i]);
      print(decision, steps[i]);
      if (tiers_end_ && ends_by_passing(decision, steps, i))
        line("  end of tier {}: passes to what comes next", steps[i].tier);
    }
  }

  void heading(const Step& step) {
    if (step.policy) {
      line("  policy {} (tier {})", step.policy->id(), step.tier);
    } else {
      line("  profile {}", step.profile);
    }
  }

  void print(const Decision& decision, const Step& step) {
    if (!step.rule) return line("    no {} rules", to_string(direction_));
    const std::string rule =
        fmt::format("{}[{}]", to_string(direction_), rule_index(cluster_, direction_, step));
    if (!step.matched)
      return line("    {:<12} {:<6} no match: {}", rule, to_string(step.action), step.mismatch);
    const bool decisive = is_decisive(decision, step);
    decided_ |= decisive;
    line("    {:<12} {:<6} matches{}", rule, to_string(step.action),
         decisive ? "  <- decides" : "");
  }

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  const Cluster& cluster_;
  const Direction direction_;
  std::string& out_;
  const bool tiers_end_;  // in the stage that this is about
  bool decided_ = false;
};

void print_side(const Cluster& cluster, Direction direction, const End& end,
                const std::optional<Decision>& decision, const std::vector<Step>& steps,
                std::string& out) {
  const auto who = fmt::format("{} of {}", to_string(direction), describe(end));
  if (decision) return SideText(cluster, direction, out).print(who, *decision, steps);
  fmt::format_to(std::back_inserter(out), "{}: {}\n", who,
                 end.endpoint == nullptr ? "not a workload endpoint, not policed here"
                                         : "not asked: the node's own processes reach its pods");
}

json::value or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::string(text);
}

json::object step_json(const Cluster& cluster, Direction direction, const Step& step) {
  json::object object;
  object["tier"] = or_null(step.tier);
  object["policy"] = or_null(step.policy ? step.policy->id() : "profile " + step.profile);
  if (!step.rule) {
    object["rule"] = nullptr;
    return object;
  }
  object["rule"] = rule_index(cluster, direction, step);
  object["action"] = to_string(step.action);
  object["matched"] = step.matched;
  if (!step.matched) object["mismatch"] = step.mismatch;
  return object;
}

// Where a tier ends and passes, a step says so that names no policy.
json::array steps_json(const Cluster& cluster, Direction direction, const Decision& decision,
                       const std::vector<Step>& steps, bool tiers_end = true) {
  json::array list;
  for (size_t i = 0; i < steps.size(); ++i) {
    list.push_back(step_json(cluster, direction, steps[i]));
    if (tiers_end && ends_by_passing(decision, steps, i))
      list.push_back(
          {{"tier", steps[i].tier}, {"policy", nullptr}, {"rule", nullptr}, {"action", "Pass"}});
  }
  return list;
}

json::value side_json(const Cluster& cluster, Direction direction,
                      const std::optional<Decision>& decision, const std::vector<Step>& steps) {
  if (!decision) return nullptr;
  json::object side = to_json(cluster, direction, *decision);
  side["reason"] = reason(*decision);
  side["steps"] = steps_json(cluster, direction, *decision, steps);
  return side;
}

json::object host_json(const Cluster& cluster, const HostDecision& said) {
  json::object out = to_json(cluster, said);
  if (said.decision) out["reason"] = reason(*said.decision);
  out["steps"] = steps_json(cluster, said.direction, said.decision.value_or(Decision{}), said.steps,
                            tiers_end(said));
  return out;
}

json::object end_json(const End& end) {
  return {{"pod", or_null(end.name)}, {"ip", end.address.to_string()}};
}

void print_outcome(const Cluster& cluster, const Answer& answer, const Outcome& outcome,
                   std::string& out) {
  print_side(cluster, Direction::egress, answer.from, outcome.egress, outcome.egress_steps, out);
  out += '\n';
  for (const auto& said : outcome.host) {
    SideText(cluster, said.direction, out, tiers_end(said)).print(said);
    out += '\n';
  }
  if (outcome.dropped_for_the_host)
    out += "from a pod to its own node: deny\n  defaultEndpointToHostAction is Drop\n\n";
  print_side(cluster, Direction::ingress, answer.to, outcome.ingress, outcome.ingress_steps, out);
}

void add_outcome(json::object& out, const Cluster& cluster, const Outcome& outcome) {
  json::array host;
  for (const auto& said : outcome.host) host.push_back(host_json(cluster, said));
  out["egress"] = side_json(cluster, Direction::egress, outcome.egress, outcome.egress_steps);
  out["ingress"] = side_json(cluster, Direction::ingress, outcome.ingress, outcome.ingress_steps);
  out["host"] = std::move(host);
  if (outcome.dropped_for_the_host) out["defaultEndpointToHostAction"] = "Drop";
}

}  // namespace

std::string explain_text(const Cluster& cluster, const Answer& answer) {
  std::string out =
      fmt::format("{} from {} to {}: {}\n\n", describe(answer.packet), describe(answer.from),
                  describe(answer.to), to_string(answer.verdict()));
  print_outcome(cluster, answer, answer, out);
  if (!answer.staged) return out;
  out += fmt::format("\nif the staged policies were enforced: {}\n\n",
                     to_string(answer.staged->verdict()));
  print_outcome(cluster, answer, *answer.staged, out);
  return out;
}

json::object explain_json(const Cluster& cluster, const Answer& answer) {
  json::object packet{{"protocol", answer.packet.protocol},
                      {"sport", answer.packet.source_port},
                      {"port", answer.packet.destination_port},
                      {"icmpType", answer.packet.icmp_type},
                      {"icmpCode", answer.packet.icmp_code}};
  json::object out{{"verdict", to_string(answer.verdict())},
                   {"from", end_json(answer.from)},
                   {"to", end_json(answer.to)},
                   {"packet", std::move(packet)}};
  add_outcome(out, cluster, answer);
  if (!answer.staged) return out;
  auto& staged = out["staged"].emplace_object();
  staged["verdict"] = to_string(answer.staged->verdict());
  add_outcome(staged, cluster, *answer.staged);
  return out;
}

}  // namespace margay::ctl
