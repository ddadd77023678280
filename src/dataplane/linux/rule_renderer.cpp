#include "dataplane/linux/rule_renderer.h"

#include <algorithm>
#include <optional>

#include "dataplane/linux/names.h"
#include "policy/digest.h"
#include "policy/protocol.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::Action;
using policy::ICMPMatch;
using policy::PortRange;
using policy::Prefix;
using policy::ProgramEntity;
using policy::ProgramRule;

constexpr size_t k_ports_of_a_list = 15;  // iptables' multiport; a range counts twice
constexpr size_t k_most_not_lists = 4;    // that a rule has within it

size_t not_lists(const ProgramEntity& entity) {
  return (2 * entity.not_ports.size() + k_ports_of_a_list - 1) / k_ports_of_a_list +
         entity.not_port_sets.size();
}

// Compiles one rule. Any step may find that nothing can match.
class RuleCompiler {
 public:
  RuleCompiler(const ProgramRule& rule, const RenderOptions& options, RenderedRules& out)
      : rule_(rule), options_(options), out_(out) {}

  void compile() {
    if (rule_.never_matches || (rule_.family && *rule_.family != options_.family)) return;
    if (!add_protocol() || !add_nets(rule_.source, Side::source) ||
        !add_nets(rule_.destination, Side::destination))
      return;
    add_sets(rule_.source, Side::source);
    add_sets(rule_.destination, Side::destination);
    if (!add_icmp()) return;
    if (asks_ports() && !(rule_.protocol && policy::takes_port_rules(*rule_.protocol))) return;
    if (not_lists(rule_.source) + not_lists(rule_.destination) > k_most_not_lists) {
      emit_in_steps();
    } else {
      add_not_ports(rule_.source, Side::source);
      add_not_ports(rule_.destination, Side::destination);
      emit(target());
    }
    emit_verdict_return();
    out_.net_sets.merge(net_sets_);
  }

 private:
  void add(Match match) { matches_.push_back(std::move(match)); }

  bool add_protocol() {
    if (rule_.protocol) {
      // 0 means "all" to iptables, and no packet carries it.
      if (*rule_.protocol == 0 || rule_.protocol == rule_.not_protocol) return false;
      add(ProtocolMatch{*rule_.protocol});
    } else if (rule_.not_protocol && *rule_.not_protocol != 0) {
      add(ProtocolMatch{*rule_.not_protocol, true});
    }
    return true;
  }

  bool add_nets(const ProgramEntity& entity, Side side) {
    if (names_other_family(entity.nets) || names_other_family(entity.not_nets)) return false;
    const auto in = sorted(entity.nets), not_in = sorted(entity.not_nets);
    if (std::ranges::any_of(not_in, is_everything)) return false;
    const bool asks_in = !in.empty() && std::ranges::none_of(in, is_everything);
    if (asks_in && in.size() == 1) {
      add(NetMatch{side, in[0]});
    } else if (asks_in) {
      add(SetMatch{side, net_set(in)});
    }
    if (not_in.size() == 1 && !(asks_in && in.size() == 1)) {
      add(NetMatch{side, not_in[0], true});
    } else if (!not_in.empty()) {
      add(SetMatch{.side = side, .id = net_set(not_in), .negated = true});
    }
    return true;
  }

  void add_sets(const ProgramEntity& entity, Side side) {
    for (const auto& id : entity.sets) add(SetMatch{side, id});
    for (const auto& id : entity.not_sets) add(SetMatch{.side = side, .id = id, .negated = true});
  }

  bool add_icmp() {
    if (!rule_.icmp && !rule_.not_icmp) return true;
    const bool v4 = options_.family == policy::IPFamily::v4;
    if (rule_.protocol != (v4 ? policy::k_icmp : policy::k_icmpv6)) return false;
    if (rule_.icmp) add(IcmpMatch{*rule_.icmp});
    if (rule_.not_icmp) add(IcmpMatch{*rule_.not_icmp, true});
    return true;
  }

  bool asks_ports() const {
    const auto asks = [](const ProgramEntity& entity) {
      return !entity.ports.empty() || !entity.not_ports.empty() || !entity.port_sets.empty() ||
             !entity.not_port_sets.empty();
    };
    return asks(rule_.source) || asks(rule_.destination);
  }

  void add_not_ports(const ProgramEntity& entity, Side side) {
    if (!entity.not_ports.empty()) add(PortsMatch{side, merged(entity.not_ports), true});
    for (const auto& id : entity.not_port_sets)
      add(SetMatch{side, id, policy::SetType::named_ports, true});
  }

  // What it may be instead of each other; nothing: every port.
  static std::vector<std::optional<Match>> port_alternatives(const ProgramEntity& entity,
                                                             Side side) {
    if (entity.ports.empty() && entity.port_sets.empty()) return {std::nullopt};
    std::vector<std::optional<Match>> out;
    if (!entity.ports.empty()) out.emplace_back(PortsMatch{side, merged(entity.ports)});
    for (const auto& id : entity.port_sets)
      out.emplace_back(SetMatch{side, id, policy::SetType::named_ports});
    return out;
  }

  void emit(const Target& target) {
    for (const auto& source : port_alternatives(rule_.source, Side::source))
      for (const auto& destination : port_alternatives(rule_.destination, Side::destination)) {
        auto matches = matches_;
        for (const auto* match : {&source, &destination})
          if (*match) matches.push_back(**match);
        out_.rules.push_back({.matches = std::move(matches), .target = target});
      }
  }

  // The pass mark means "this rule's" meanwhile: no packet that is still undecided has it for
  // another reason, but one that has left its last tier for the profiles, which ask it no more.
  void emit_in_steps() {
    const auto& marks = options_.marks;
    const auto then = [this](std::vector<Match> matches, Target target) {
      out_.rules.push_back({.matches = std::move(matches), .target = std::move(target)});
    };
    then({}, clear_mark(marks.pass));
    emit(set_mark(marks.pass));
    for (const Side side : {Side::source, Side::destination}) {
      const auto& entity = side == Side::source ? rule_.source : rule_.destination;
      if (!entity.not_ports.empty())
        then({has_mark(marks.pass), ProtocolMatch{*rule_.protocol},
              PortsMatch{side, merged(entity.not_ports)}},
             clear_mark(marks.pass));
      for (const auto& id : entity.not_port_sets)
        then({has_mark(marks.pass), SetMatch{side, id, policy::SetType::named_ports}},
             clear_mark(marks.pass));
    }
    if (rule_.action != Action::pass) then({has_mark(marks.pass)}, target());
    if (rule_.action == Action::allow) then({has_mark(marks.accept)}, clear_mark(marks.pass));
    if (rule_.action == Action::log) then({}, clear_mark(marks.pass));
  }

  Target target() const {
    switch (rule_.action) {
      case Action::allow:
        return set_mark(options_.marks.accept);
      case Action::pass:
        return set_mark(options_.marks.pass);
      case Action::log:
        return Log{options_.log_prefix + ": "};
      case Action::deny:
        break;
    }
    return options_.deny_target;
  }

  // A marked packet is decided: the rules below are not for it.
  void emit_verdict_return() {
    if (rule_.action == Action::allow)
      out_.rules.push_back(
          {.matches = {has_mark(options_.marks.accept)}, .target = Verdict::return_to_caller});
    if (rule_.action == Action::pass)
      out_.rules.push_back(
          {.matches = {has_mark(options_.marks.pass)}, .target = Verdict::return_to_caller});
  }

  static bool is_everything(const Prefix& net) { return net.length() == 0; }

  // Nets tie a rule to their family, also those that must not match (docs/policy.md).
  bool names_other_family(const std::vector<Prefix>& nets) const {
    return std::ranges::any_of(nets,
                               [&](const Prefix& net) { return net.family() != options_.family; });
  }

  static std::vector<Prefix> sorted(std::vector<Prefix> nets) {
    std::ranges::sort(nets);
    nets.erase(std::unique(nets.begin(), nets.end()), nets.end());
    return nets;
  }

  std::string net_set(const std::vector<Prefix>& nets) {
    std::string text;
    for (const auto& net : nets) text += net.to_string() + " ";
    const std::string id = "c:" + policy::digest(text, 23);
    net_sets_.emplace(id, nets);
    return id;
  }

  const ProgramRule& rule_;
  const RenderOptions& options_;
  RenderedRules& out_;
  std::vector<Match> matches_;
  std::map<std::string, std::vector<Prefix>> net_sets_;  // kept only if the rule is emitted
};

}  // namespace

RenderedRules render(std::span<const ProgramRule> rules, const RenderOptions& options) {
  RenderedRules out;
  for (const auto& rule : rules) RuleCompiler(rule, options, out).compile();
  return out;
}

}  // namespace margay::dataplane::linux_host
