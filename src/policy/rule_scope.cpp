#include "policy/rule_scope.h"

#include "policy/protocol.h"

namespace margay::policy {
namespace {

bool asks_any_port(const EntityMatch& entity) {
  return entity.asks_ports() || !entity.not_ports.empty() || !entity.not_named_ports.empty();
}

// Narrows `family` to another condition's; false when no family is left.
bool narrow(std::optional<IPFamily>& family, IPFamily to) {
  if (family && *family != to) return false;
  family = to;
  return true;
}

bool narrow_to_nets(std::optional<IPFamily>& family, const EntityMatch& entity) {
  for (const auto* nets : {&entity.nets, &entity.not_nets})
    for (const Prefix& net : *nets)
      if (!narrow(family, net.family())) return false;
  return true;
}

}  // namespace

RuleScope scope_of(const Rule& rule) {
  RuleScope scope{.family = rule.family, .never = {}};
  const auto never = [&scope](std::string_view field) {
    scope.never = field;
    return scope;
  };
  if (rule.never_matches) return never("never");
  if (rule.has_http && rule.action != Action::deny) return never("http");
  if ((asks_any_port(rule.source) || asks_any_port(rule.destination)) &&
      !(rule.protocol && takes_port_rules(*rule.protocol)))
    return never("ports");
  if (rule.icmp || rule.not_icmp) {
    if (!rule.protocol || !is_icmp(*rule.protocol)) return never("icmp");
    if (!narrow(scope.family, rule.protocol == k_icmp ? IPFamily::v4 : IPFamily::v6))
      return never("icmp");
  }
  if (!narrow_to_nets(scope.family, rule.source) || !narrow_to_nets(scope.family, rule.destination))
    return never("nets");
  return scope;
}

}  // namespace margay::policy
