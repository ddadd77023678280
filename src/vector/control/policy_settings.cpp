#include "vector/control/policy_settings.h"

#include <charconv>

#include "api/fields.h"
#include "policy/compile_rules.h"
#include "policy/protocol.h"
#include "policy/rule_scope.h"

namespace margay::vector {
namespace {

namespace json = boost::json;
using api::Fields;
using base::FieldError;
using base::FieldPath;
using base::Prefix;
using policy::Action;
using policy::PortRange;
using policy::Rule;

constexpr std::string_view k_port_rule = "must be a port (80) or a range of ports (\"8000:8080\")";

std::optional<uint16_t> port_number(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return port;
}

std::optional<PortRange> port_range(const json::value& value) {
  if (const auto* number = value.if_int64()) {
    if (*number < 0 || *number > 65535) return {};
    const auto port = static_cast<uint16_t>(*number);
    return PortRange{port, port};
  }
  const auto* string = value.if_string();
  if (!string) return {};
  const std::string_view text = *string;
  const auto colon = text.find(':');
  const auto first = port_number(text.substr(0, colon));
  const auto last = colon == text.npos ? first : port_number(text.substr(colon + 1));
  if (!first || !last || *first > *last) return {};
  return PortRange{*first, *last};
}

std::vector<PortRange> read_ports(Fields& fields, std::string_view name) {
  std::vector<PortRange> ports;
  fields.each(name, [&](const json::value& element, const FieldPath& at) {
    if (const auto range = port_range(element))
      ports.push_back(*range);
    else
      fields.invalid_at(at, element, k_port_rule);
  });
  return ports;
}

policy::EntityMatch read_entity(Fields fields) {
  policy::EntityMatch entity;
  entity.nets = fields.all_parsed("nets", Prefix::parse_strict, "must be a CIDR");
  entity.not_nets = fields.all_parsed("notNets", Prefix::parse_strict, "must be a CIDR");
  entity.ports = read_ports(fields, "ports");
  entity.not_ports = read_ports(fields, "notPorts");
  fields.no_others();
  return entity;
}

std::optional<Action> action_of(std::string_view text) {
  if (text == "Allow") return Action::allow;
  if (text == "Deny") return Action::deny;
  if (text == "Pass") return Action::pass;
  if (text == "Log") return Action::log;
  return {};
}

std::string_view why_never(std::string_view scope) {
  if (scope == "ports") return "ports need a protocol that has them: TCP, UDP or SCTP";
  if (scope == "nets") return "its nets are of both families, so that no packet can match";
  return "no packet can match it";
}

Rule read_rule(const json::value& value, const FieldPath& path, std::vector<FieldError>& errors) {
  Fields fields(value, path, errors);
  Rule rule;
  if (const auto action = fields.text("action", true)) {
    if (const auto known = action_of(*action))
      rule.action = *known;
    else
      fields.error(FieldError::Type::not_supported, "action", "must be Allow, Deny, Pass or Log");
  }
  if (const auto* protocol = fields.value("protocol")) {
    rule.protocol = protocol_of(*protocol);
    if (!rule.protocol)
      fields.error(FieldError::Type::not_supported, "protocol",
                   "must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255");
  }
  rule.source = read_entity(fields.object("source"));
  rule.destination = read_entity(fields.object("destination"));
  fields.no_others();
  // What is no error yet, but could not mean anything.
  if (const auto never = policy::scope_of(rule).never; !never.empty())
    fields.invalid_at(path, value, why_never(never));
  return rule;
}

std::vector<Rule> read_rules(Fields& fields, std::string_view name,
                             std::vector<FieldError>& errors) {
  std::vector<Rule> rules;
  fields.each(name, [&](const json::value& element, const FieldPath& at) {
    rules.push_back(read_rule(element, at, errors));
  });
  return rules;
}

}  // namespace

std::optional<uint8_t> protocol_of(const json::value& value) {
  if (const auto* number = value.if_int64()) {
    if (*number < 1 || *number > 255) return {};
    return static_cast<uint8_t>(*number);
  }
  if (const auto* string = value.if_string()) return policy::protocol_by_name(*string);
  return {};
}

PolicySettings read_policy(Fields& fields, const std::string& name,
                           std::vector<FieldError>& errors) {
  PolicySettings settings{
      .rules = {}, .has_ingress = fields.has("ingress"), .has_egress = fields.has("egress")};
  const auto ingress = read_rules(fields, "ingress", errors);
  const auto egress = read_rules(fields, "egress", errors);
  settings.rules = policy::compile_rules(policy::RulesOf::policy, name, ingress, egress).rules;
  return settings;
}

}  // namespace margay::vector
