#include "k8s/rule.h"

#include <fmt/format.h>

#include "k8s/names.h"
#include "selector/parser.h"

namespace margay::k8s {
namespace {

using policy::Action;
using policy::EntityMatch;
using policy::ICMPMatch;
using selector::Selector;

constexpr int64_t k_max_icmp_type = 254;  // 255 is every type to iptables; Calico takes none
constexpr int64_t k_max_icmp_code = 255;
constexpr size_t k_most_port_pairs = 1 << 18;

std::optional<Action> read_action(const std::string& action, const Field& field) {
  if (action == "Allow") return Action::allow;
  if (action == "Deny") return Action::deny;
  if (action == "Pass") return Action::pass;
  if (action == "Log") return Action::log;
  field.invalid(action, "must be Allow, Deny, Pass or Log");
  return std::nullopt;
}

// Nothing: no restriction beyond the protocol.
std::optional<ICMPMatch> read_icmp(const std::optional<api::ICMPFields>& icmp, const Field& field) {
  if (!icmp || !icmp->type) {
    if (icmp && icmp->code) field.invalid(*icmp->code, "an ICMP code needs a type");
    return std::nullopt;
  }
  if (*icmp->type < 0 || *icmp->type > k_max_icmp_type)
    (field / "type").invalid(*icmp->type, "must be from 0 to 254");
  if (icmp->code && (*icmp->code < 0 || *icmp->code > k_max_icmp_code))
    (field / "code").invalid(*icmp->code, "must be from 0 to 255");
  ICMPMatch match{.type = static_cast<uint8_t>(*icmp->type)};
  if (icmp->code) match.code = static_cast<uint8_t>(*icmp->code);
  return match;
}

Selector conjunction(const std::optional<Selector>& a, const std::optional<Selector>& b) {
  return a.value_or(Selector()) && b.value_or(Selector());
}

std::optional<Selector> read_service_accounts(const std::optional<api::ServiceAccountMatch>& match,
                                              const Field& field) {
  if (!match || (match->names.empty() && match->selector.empty())) return std::nullopt;
  std::optional<Selector> named;
  for (size_t i = 0; i < match->names.size(); ++i)
    if (!selector::is_value(match->names[i]))
      (field / "names")[i].invalid(match->names[i], "is not the name of a service account");
  if (!match->names.empty())
    named = Selector::in(std::string(k_service_account_label), match->names);
  return conjunction(read_service_account_selector(match->selector, field / "selector"), named);
}

// docs/policy.md, "When a rule matches": how the selectors of one side combine.
std::optional<Selector> positive_selector(const api::EntityRule& entity, const std::string& ns,
                                          const Field& field) {
  std::optional<Selector> own =
      read_service_accounts(entity.service_accounts, field / "serviceAccounts");
  if (!entity.selector.empty())
    own = conjunction(own, read_selector(entity.selector, field / "selector"));
  if (!entity.namespace_selector.empty()) {
    return conjunction(
        read_namespace_selector(entity.namespace_selector, field / "namespaceSelector"), own);
  }
  if (!ns.empty() && (own || !entity.not_selector.empty()))
    return conjunction(Selector::equals(std::string(k_namespace_label), ns), own);
  return own;
}

EntityMatch read_entity(const api::EntityRule& entity, const std::string& ns, const Field& field) {
  Ports ports = read_ports(entity.ports, field / "ports");
  Ports not_ports = read_ports(entity.not_ports, field / "notPorts");
  simplify(ports);
  simplify(not_ports);
  check_names(ports, field / "ports");
  check_names(not_ports, field / "notPorts");
  EntityMatch match{
      .nets = read_nets(entity.nets, field / "nets"),
      .not_nets = read_nets(entity.not_nets, field / "notNets"),
      .selector = positive_selector(entity, ns, field),
      .not_selector = {},
      .ports = std::move(ports.ranges),
      .named_ports = std::move(ports.names),
      .not_ports = std::move(not_ports.ranges),
      .not_named_ports = std::move(not_ports.names),
  };
  if (!entity.not_selector.empty())
    match.not_selector = read_selector(entity.not_selector, field / "notSelector");
  return match;
}

policy::Rule read_rule(const api::Rule& rule, const std::string& ns, const Field& field) {
  policy::Rule read;
  read.action = read_action(rule.action, field / "action").value_or(Action::deny);
  if (rule.ip_version == 4) read.family = policy::IPFamily::v4;
  if (rule.ip_version == 6) read.family = policy::IPFamily::v6;
  if (rule.ip_version && !read.family)
    (field / "ipVersion").invalid(*rule.ip_version, "must be 4 or 6");
  if (rule.protocol) read.protocol = read_protocol(*rule.protocol, field / "protocol");
  if (rule.not_protocol)
    read.not_protocol = read_protocol(*rule.not_protocol, field / "notProtocol");
  read.icmp = read_icmp(rule.icmp, field / "icmp");
  read.not_icmp = read_icmp(rule.not_icmp, field / "notICMP");
  read.source = read_entity(rule.source, ns, field / "source");
  read.destination = read_entity(rule.destination, ns, field / "destination");
  read.has_http = rule.http.has_value();
  // What lists ports of both sides becomes one rule for each pair of them in the kernel.
  const auto ports = [](const EntityMatch& side) {
    return side.ports.size() + side.named_ports.size();
  };
  if (ports(read.source) * ports(read.destination) > k_most_port_pairs)
    (field / "destination" / "ports").invalid("", "times the source's ports they are too many");
  return read;
}

// What was to be left to the next tier is not for the rules below it either.
policy::Rule closed(Action action) {
  const bool decides = action == Action::deny || action == Action::pass;
  return {.action = decides ? Action::deny : action, .never_matches = !decides};
}

}  // namespace

std::vector<policy::Rule> read_rules(const std::vector<api::Rule>& rules, const std::string& ns,
                                     const std::string& path, Warnings& warnings) {
  std::vector<policy::Rule> read;
  read.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", path, i);
    Problems problems;
    read.push_back(read_rule(rules[i], ns, Field(place, problems)));
    for (const auto& problem : problems)
      warnings.push_back(
          fmt::format("{} (the rule {})", problem.message(),
                      read.back().action == Action::deny || read.back().action == Action::pass
                          ? "denies everything until it is corrected"
                          : "matches nothing until it is corrected"));
    if (!problems.empty()) read.back() = closed(read.back().action);
    if (rules[i].http && read.back().action != Action::deny)
      warnings.push_back(place +
                         ".http: needs an application-layer data plane; without one the "
                         "rule matches nothing");
  }
  return read;
}

}  // namespace margay::k8s
