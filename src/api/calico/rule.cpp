// The rules of policies and profiles, and everything that must hold within one rule.

#include <set>

#include "api/calico/common.h"
#include "base/address.h"

namespace margay::api::calico {

namespace {

// ---- one end of a rule ------------------------------------------------------------------------

Described<std::string> network() { return string().check(formats::network); }

Described<ServiceAccountMatch> service_account_match() {
  return object<ServiceAccountMatch>(
      "projectcalico.org.v3.ServiceAccountMatch",
      "Which service accounts an endpoint must run as. Both fields, when set, must hold.",
      {field("names", &ServiceAccountMatch::names, list(string().check(formats::dns_subdomain)),
             "Any of these names. Empty means any service account."),
       field("selector", &ServiceAccountMatch::selector, selector(),
             "Over the labels of the service account.")});
}

Described<EntityRule> entity_rule() {
  return object<EntityRule>(
      "projectcalico.org.v3.EntityRule",
      "One end of a flow, its source or destination. Every field that is set must match.",
      {field("nets", &EntityRule::nets, list(network()), "The address is in any of these CIDRs."),
       field("selector", &EntityRule::selector, selector(),
             "The address belongs to an endpoint or network set whose labels satisfy this. In a "
             "NetworkPolicy without namespaceSelector: of the policy's own namespace."),
       field("namespaceSelector", &EntityRule::namespace_selector, namespace_selector(),
             "The endpoint's namespace has labels that satisfy this. global() selects what is in "
             "no namespace, all() what is in any."),
       field("ports", &EntityRule::ports, list(port()),
             "The port is any of these: numbers, ranges a:b, or names of endpoint ports. Needs a "
             "protocol that has ports."),
       field("notNets", &EntityRule::not_nets, list(network()),
             "The address is in none of these CIDRs."),
       field("notSelector", &EntityRule::not_selector, selector(),
             "The address belongs to nothing that satisfies this selector."),
       field("notPorts", &EntityRule::not_ports, list(port()), "The port is none of these."),
       field("serviceAccounts", &EntityRule::service_accounts, service_account_match(),
             "The endpoint runs as one of these service accounts.")});
}

// ---- protocols --------------------------------------------------------------------------------

Described<ICMPFields> icmp_fields() {
  return object<ICMPFields>(
             "projectcalico.org.v3.ICMPFields", "An ICMP or ICMPv6 message.",
             {field("type", &ICMPFields::type, integer().between(0, 254), "The message's type."),
              field("code", &ICMPFields::code, integer().between(0, 255),
                    "The message's code; needs the type.")})
      .check([](const ICMPFields& icmp, const Report& report) {
        if (icmp.code && !icmp.type) report.field("type").required("a code needs a type");
      });
}

Described<HTTPPath> http_path() {
  return object<HTTPPath>("projectcalico.org.v3.HTTPPath", "A path, whole or its beginning.",
                          {field("exact", &HTTPPath::exact, string(), "The whole path."),
                           field("prefix", &HTTPPath::prefix, string(), "How the path begins.")})
      .check([](const HTTPPath& path, const Report& report) {
        if (path.exact.empty() == path.prefix.empty()) {
          report.required("exactly one of exact and prefix must be set");
          return;
        }
        const bool exact = !path.exact.empty();
        const std::string& text = exact ? path.exact : path.prefix;
        if (text.front() != '/' || text.find_first_of("? #") != std::string::npos)
          report.field(exact ? "exact" : "prefix")
              .invalid(text,
                       "must start with '/' and contain no space, query ('?') or fragment ('#')");
      });
}

void unique(const std::vector<std::string>& values, const Report& report) {
  std::set<std::string> seen;
  for (size_t i = 0; i < values.size(); ++i)
    if (!seen.insert(values[i]).second) report.item(i).duplicate(values[i]);
}

Described<HTTPMatch> http_match() {
  return object<HTTPMatch>(
      "projectcalico.org.v3.HTTPMatch",
      "A match on HTTP requests, for data planes with application layer policy.",
      {field("methods", &HTTPMatch::methods,
             list(string().check(formats::http_method)).check(unique),
             "The request's method is any of these. Empty means any."),
       field("paths", &HTTPMatch::paths, list(http_path()),
             "The request's path is any of these. Empty means any.")});
}

Described<RuleMetadata> rule_metadata() {
  return object<RuleMetadata>(
      "projectcalico.org.v3.RuleMetadata", "For people and tools.",
      {field("annotations", &RuleMetadata::annotations, string_map().check(formats::annotations),
             "Keys and values; kept, and without effect.")});
}

// ---- what must hold across the fields of a rule -------------------------------------------------

// By name: what is true of TCP, ICMP and ICMPv6 by name is not asked of 6, 1 and 58, as in v3.19.
bool is_protocol(const std::optional<IntOrString>& protocol, std::string_view name) {
  const auto* text = protocol ? std::get_if<std::string>(&*protocol) : nullptr;
  return text != nullptr && *text == name;
}

bool is_icmp(const std::optional<IntOrString>& protocol) { return is_protocol(protocol, "ICMP"); }
bool is_icmpv6(const std::optional<IntOrString>& protocol) {
  return is_protocol(protocol, "ICMPv6");
}

void check_ports_need_protocol(const Rule& rule, const Report& report) {
  if (rule.protocol && has_ports(*rule.protocol)) return;
  const auto check = [](const std::vector<IntOrString>& ports, const Report& at) {
    if (!ports.empty())
      at.forbidden("rules that match ports must set protocol to TCP, UDP or SCTP");
  };
  check(rule.source.ports, report.field("source").field("ports"));
  check(rule.source.not_ports, report.field("source").field("notPorts"));
  check(rule.destination.ports, report.field("destination").field("ports"));
  check(rule.destination.not_ports, report.field("destination").field("notPorts"));
}

void check_icmp(const Rule& rule, const Report& report) {
  const bool has_protocol = is_icmp(rule.protocol) || is_icmpv6(rule.protocol);
  for (const auto& [set, name] :
       {std::pair(rule.icmp.has_value(), "icmp"), std::pair(rule.not_icmp.has_value(), "notICMP")})
    if (set && !has_protocol)
      report.field(name).forbidden("needs protocol ICMP or ICMPv6 in the same rule");
  if (!rule.ip_version) return;
  const auto check = [&](const std::optional<IntOrString>& protocol) {
    if (is_icmp(protocol) && *rule.ip_version != 4)
      report.field("ipVersion").invalid(*rule.ip_version, "must be 4 with protocol ICMP");
    if (is_icmpv6(protocol) && *rule.ip_version != 6)
      report.field("ipVersion").invalid(*rule.ip_version, "must be 6 with protocol ICMPv6");
  };
  check(rule.protocol);
  check(rule.not_protocol);
}

// The families of the nets of one field are those of the rule and of each other.
class FamilyCheck {
 public:
  FamilyCheck(const Rule& rule, const Report& report) : rule_(rule), report_(report) {
    check(rule.source.nets, report.field("source").field("nets"));
    check(rule.source.not_nets, report.field("source").field("notNets"));
    check(rule.destination.nets, report.field("destination").field("nets"));
    check(rule.destination.not_nets, report.field("destination").field("notNets"));
  }

 private:
  void check(const std::vector<std::string>& nets, const Report& at) {
    for (size_t i = 0; i < nets.size(); ++i) {
      const auto prefix = base::Prefix::parse(nets[i]);
      if (!prefix) continue;  // reported where it is described
      const auto version = static_cast<int64_t>(prefix->family());
      if (rule_.ip_version && *rule_.ip_version != version)
        at.item(i).invalid(nets[i], "must have the IP version that ipVersion says");
      else if (first_ && *first_ != version)
        at.item(i).invalid(nets[i], "one rule cannot have both IPv4 and IPv6 nets");
      if (!first_) first_ = version;
    }
  }

  const Rule& rule_;
  const Report& report_;
  std::optional<int64_t> first_;
};

void check_http(const Rule& rule, const Report& report) {
  if (!rule.http) return;
  if (rule.protocol && !is_protocol(rule.protocol, "TCP"))
    report.field("http").forbidden("needs protocol TCP, or none");
  if (rule.action != "Allow")
    report.field("http").forbidden("only rules that Allow can match HTTP");
}

void check_rule(const Rule& rule, const Report& report) {
  check_ports_need_protocol(rule, report);
  check_icmp(rule, report);
  FamilyCheck(rule, report);
  check_http(rule, report);
}

const Described<Rule>& rule() {
  static const auto described =
      object<Rule>(
          "projectcalico.org.v3.Rule",
          "Rules are tried in order; the first that matches decides. A rule matches when every "
          "field that is set does.",
          {field("action", &Rule::action, string().one_of({"Allow", "Deny", "Log", "Pass"}),
                 "Allow and Deny decide. Log logs and goes on. Pass leaves the tier's policies.")
               .required(),
           field("ipVersion", &Rule::ip_version,
                 integer().check_json([](const json::value& value, const Report& report) {
                   if (value != 4 && value != 6) report.invalid(value, "must be 4 or 6");
                 }),
                 "Only packets of this IP version."),
           field("protocol", &Rule::protocol, protocol(),
                 "TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255."),
           field("icmp", &Rule::icmp, icmp_fields(), "Needs protocol ICMP or ICMPv6."),
           field("notProtocol", &Rule::not_protocol, protocol(), "Any protocol but this one."),
           field("notICMP", &Rule::not_icmp, icmp_fields(), "Any such message but these."),
           field("source", &Rule::source, entity_rule(), "Where the flow comes from."),
           field("destination", &Rule::destination, entity_rule(), "Where the flow goes to."),
           field("http", &Rule::http, http_match(), "Only HTTP requests like these."),
           field("metadata", &Rule::metadata, rule_metadata(), "For people and tools.")})
          .check(check_rule);
  return described;
}

}  // namespace

Described<std::vector<Rule>> rules() { return list(rule()); }

}  // namespace margay::api::calico
