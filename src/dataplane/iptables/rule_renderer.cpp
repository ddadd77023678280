#include "dataplane/iptables/rule_renderer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "dataplane/iptables/linux_names.h"
#include "policy/digest.h"
#include "policy/protocol.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Action;
using policy::ICMPMatch;
using policy::PortRange;
using policy::Prefix;
using policy::ProgramEntity;
using policy::ProgramRule;

constexpr size_t k_multiport_slots = 15;

// The words that differ between the two ends of a packet.
struct Side {
  const char* net;    // option for one prefix
  const char* set;    // direction of a set lookup
  const char* ports;  // multiport option
};
constexpr Side k_source{"-s", "src", "--sports"};
constexpr Side k_destination{"-d", "dst", "--dports"};

// Compiles one rule. Any step may find that nothing can match.
class RuleCompiler {
 public:
  RuleCompiler(const ProgramRule& rule, const RenderOptions& options, RenderedRules& out)
      : rule_(rule), options_(options), out_(out) {}

  void compile() {
    if (rule_.never_matches || (rule_.family && *rule_.family != options_.family)) return;
    if (!add_protocol() || !add_nets(rule_.source, k_source) ||
        !add_nets(rule_.destination, k_destination))
      return;
    add_sets(rule_.source, k_source);
    add_sets(rule_.destination, k_destination);
    if (!add_icmp()) return;
    if (asks_ports() && !(rule_.protocol && policy::takes_port_rules(*rule_.protocol))) return;
    add_not_ports(rule_.source, k_source);
    add_not_ports(rule_.destination, k_destination);
    for (const auto& source : port_alternatives(rule_.source, k_source))
      for (const auto& destination : port_alternatives(rule_.destination, k_destination))
        emit(fmt::format("{}{}{}", match_, source, destination));
    emit_verdict_return();
    out_.net_sets.merge(net_sets_);
  }

 private:
  void add(const std::string& text) { match_ += match_.empty() ? text : " " + text; }

  bool add_protocol() {
    if (rule_.protocol) {
      // 0 means "all" to iptables, and no packet carries it.
      if (*rule_.protocol == 0 || rule_.protocol == rule_.not_protocol) return false;
      add(fmt::format("-p {}", *rule_.protocol));
    } else if (rule_.not_protocol && *rule_.not_protocol != 0) {
      add(fmt::format("! -p {}", *rule_.not_protocol));
    }
    return true;
  }

  bool add_nets(const ProgramEntity& entity, const Side& side) {
    if (names_other_family(entity.nets) || names_other_family(entity.not_nets)) return false;
    const auto in = sorted(entity.nets), not_in = sorted(entity.not_nets);
    if (std::ranges::any_of(not_in, is_everything)) return false;
    const bool asks_in = !in.empty() && std::ranges::none_of(in, is_everything);
    if (asks_in && in.size() == 1) {
      add(fmt::format("{} {}", side.net, in[0].to_string()));
    } else if (asks_in) {
      add(fmt::format("-m set --match-set {} {}", net_set(in), side.set));
    }
    if (not_in.size() == 1 && !(asks_in && in.size() == 1)) {
      add(fmt::format("! {} {}", side.net, not_in[0].to_string()));
    } else if (!not_in.empty()) {
      add(fmt::format("-m set ! --match-set {} {}", net_set(not_in), side.set));
    }
    return true;
  }

  void add_sets(const ProgramEntity& entity, const Side& side) {
    for (const auto& id : entity.sets)
      add(fmt::format("-m set --match-set {} {}", set_name(options_.family, id), side.set));
    for (const auto& id : entity.not_sets)
      add(fmt::format("-m set ! --match-set {} {}", set_name(options_.family, id), side.set));
  }

  bool add_icmp() {
    if (!rule_.icmp && !rule_.not_icmp) return true;
    const bool v4 = options_.family == policy::IPFamily::v4;
    if (rule_.protocol != (v4 ? policy::k_icmp : policy::k_icmpv6)) return false;
    const auto match = [&](const char* no, const ICMPMatch& icmp) {
      add(fmt::format("-m {} {}--{}-type {}", v4 ? "icmp" : "icmp6", no, v4 ? "icmp" : "icmpv6",
                      icmp.type));
      if (icmp.code) match_ += fmt::format("/{}", *icmp.code);
    };
    if (rule_.icmp) match("", *rule_.icmp);
    if (rule_.not_icmp) match("! ", *rule_.not_icmp);
    return true;
  }

  bool asks_ports() const {
    const auto asks = [](const ProgramEntity& entity) {
      return !entity.ports.empty() || !entity.not_ports.empty() || !entity.port_sets.empty() ||
             !entity.not_port_sets.empty();
    };
    return asks(rule_.source) || asks(rule_.destination);
  }

  void add_not_ports(const ProgramEntity& entity, const Side& side) {
    for (const auto& list : multiport_lists(merged(entity.not_ports)))
      add(fmt::format("-m multiport ! {} {}", side.ports, list));
    for (const auto& id : entity.not_port_sets)
      add(fmt::format("-m set ! --match-set {} {},{}", set_name(options_.family, id), side.set,
                      side.set));
  }

  std::vector<std::string> port_alternatives(const ProgramEntity& entity, const Side& side) const {
    if (entity.ports.empty() && entity.port_sets.empty()) return {""};
    std::vector<std::string> out;
    for (const auto& list : multiport_lists(merged(entity.ports)))
      out.push_back(fmt::format(" -m multiport {} {}", side.ports, list));
    for (const auto& id : entity.port_sets)
      out.push_back(fmt::format(" -m set --match-set {} {},{}", set_name(options_.family, id),
                                side.set, side.set));
    return out;
  }

  void emit(std::string match) {
    if (match.starts_with(' ')) match.erase(0, 1);
    out_.rules.push_back({.match = std::move(match), .target = target()});
  }

  std::string target() const {
    switch (rule_.action) {
      case Action::allow:
        return set_mark(options_.marks.accept);
      case Action::pass:
        return set_mark(options_.marks.pass);
      case Action::log:
        return fmt::format("-j LOG --log-prefix {} --log-level 5",
                           quoted(options_.log_prefix + ": "));
      case Action::deny:
        break;
    }
    return options_.deny_target;
  }

  // A marked packet is decided: the rules below are not for it.
  void emit_verdict_return() {
    if (rule_.action == Action::allow)
      out_.rules.push_back({.match = has_mark(options_.marks.accept), .target = "-j RETURN"});
    if (rule_.action == Action::pass)
      out_.rules.push_back({.match = has_mark(options_.marks.pass), .target = "-j RETURN"});
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
    return set_name(options_.family, id);
  }

  const ProgramRule& rule_;
  const RenderOptions& options_;
  RenderedRules& out_;
  std::string match_;
  std::map<std::string, std::vector<Prefix>> net_sets_;  // kept only if the rule is emitted
};

}  // namespace

RenderedRules render(std::span<const ProgramRule> rules, const RenderOptions& options) {
  RenderedRules out;
  for (const auto& rule : rules) RuleCompiler(rule, options, out).compile();
  return out;
}

std::vector<std::string> multiport_lists(const std::vector<PortRange>& ports) {
  std::vector<std::string> out;
  size_t used = k_multiport_slots;
  for (const auto& range : ports) {
    const bool single = range.first == range.last;
    const size_t slots = single ? 1 : 2;
    if (used + slots > k_multiport_slots) {
      out.emplace_back();
      used = 0;
    }
    if (used > 0) out.back() += ',';
    out.back() +=
        single ? fmt::format("{}", range.first) : fmt::format("{}:{}", range.first, range.last);
    used += slots;
  }
  return out;
}

}  // namespace margay::dataplane::iptables
