#include "node/parameters.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <set>

#include "api/formats.h"
#include "base/text.h"
#include "dataplane/linux/setting_text.h"
#include "policy/workload_interfaces.h"

namespace margay::node {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// ---- one parser for each type of value ------------------------------------------------------

struct Parser {
  std::function<Result<>(std::string_view text, Parameters& into)> parse;
  // Sets the zero value of its type, which "none" means; empty: there is no such value.
  std::function<void(Parameters& into)> set_zero;
};

template <typename T>
using Member = T Parameters::*;

template <typename T, typename Parse>
Parser parser(Member<T> member, Parse parse) {
  return {std::move(parse), [member](Parameters& into) { into.*member = T{}; }};
}

Parser boolean(Member<bool> member) {
  return parser(member, [member](std::string_view text, Parameters& into) -> Result<> {
    static const std::set<std::string, std::less<>> k_true{"true", "1", "yes", "y", "t"};
    static const std::set<std::string, std::less<>> k_false{"false", "0", "no", "n", "f"};
    const std::string value = lower(text);
    if (!k_true.contains(value) && !k_false.contains(value))
      return fail(ErrorCode::invalid, "must be true or false");
    into.*member = k_true.contains(value);
    return {};
  });
}

Result<int64_t> to_integer(std::string_view text, int64_t least, int64_t most) {
  int base = 10;
  std::string_view digits = text;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  }
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < least ||
      value > most) {
    return fail(ErrorCode::invalid, fmt::format("must be a number from {} to {}", least, most));
  }
  return value;
}

template <typename T>
Parser integer(Member<T> member, int64_t least, int64_t most) {
  Parser made = parser(member, [=](std::string_view text, Parameters& into) -> Result<> {
    MARGAY_TRY(const int64_t value, to_integer(text, least, most));
    into.*member = static_cast<T>(value);
    return {};
  });
  if (least > 0) made.set_zero = {};
  return made;
}

using Check = Result<> (*)(std::string_view text);
Result<> accept_any(std::string_view) { return {}; }

Parser text(Member<std::string> member, Check check = accept_any) {
  return parser(member, [member, check](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_CHECK(check(value));
    into.*member = value;
    return {};
  });
}

// In Go's syntax.
Parser regular_expression(Member<std::string> member) {
  return parser(member, [member](std::string_view value, Parameters& into) -> Result<> {
    if (value.size() > api::formats::k_longest_expression)
      return fail(ErrorCode::invalid, "is too long for a regular expression");
    const RE2 pattern(value, RE2::Quiet);
    if (!pattern.ok())
      return fail(ErrorCode::invalid, "must be a regular expression: " + pattern.error());
    into.*member = value;
    return {};
  });
}

// Compared without letter case, stored as listed.
template <typename T>
Parser one_of(Member<T> member, std::vector<std::pair<std::string, T>> choices) {
  return parser(
      member,
      [member, choices = std::move(choices)](std::string_view value, Parameters& into) -> Result<> {
        std::string names;
        for (const auto& [name, meaning] : choices) {
          if (lower(name) == lower(value)) {
            into.*member = meaning;
            return {};
          }
          names += (names.empty() ? "" : ", ") + name;
        }
        return fail(ErrorCode::invalid, "must be one of " + names);
      });
}

Parser one_of(Member<std::string> member, const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, std::string>> choices;
  choices.reserve(names.size());
  for (const auto& name : names) choices.emplace_back(name, name);
  return one_of<std::string>(member, std::move(choices));
}

// "90" is seconds; FelixConfiguration writes Go durations ("1m30s", "500ms").
Result<std::chrono::milliseconds> to_duration(std::string_view text) {
  static const std::vector<std::pair<std::string_view, double>> k_units{
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  const auto bad = [] {
    return fail(ErrorCode::invalid,
                "must be seconds (\"90\") or a duration (\"1m30s\"), of 30 years at most");
  };
  constexpr double k_longest_ms = 30.0 * 365 * 24 * 3'600'000;  // which clocks can be set ahead
  double total = 0;
  if (text.empty()) return bad();
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || !(number >= 0)) return bad();
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const auto unit = std::ranges::find_if(
        k_units, [&](const auto& candidate) { return text.starts_with(candidate.first); });
    const bool is_plain = text.empty() && total == 0;
    if (!is_plain && unit == k_units.end()) return bad();
    total += number * (is_plain ? 1'000 : unit->second);
    if (!(total <= k_longest_ms)) return bad();
    if (!is_plain) text.remove_prefix(unit->first.size());
  }
  return std::chrono::milliseconds(std::llround(total));
}

Parser duration(Member<std::chrono::milliseconds> member) {
  return parser(member, [member](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_TRY(into.*member, to_duration(value));
    return {};
  });
}

Result<> parse_interface_prefixes(std::string_view value, Parameters& into) {
  std::vector<std::string> prefixes;
  for (const auto part : base::split(value, ',')) {
    const auto name = base::trim(part);
    if (const auto fits = dataplane::linux_host::check_interface_prefix(name); !fits)
      return fail(fits.error().wrap(fmt::format("\"{}\"", name)));
    prefixes.emplace_back(name);
  }
  into.interface_prefixes = policy::WorkloadInterfaces::named(std::move(prefixes)).prefixes;
  return {};
}

// The data planes need two bits of their own.
Result<> parse_mark_mask(std::string_view value, Parameters& into) {
  MARGAY_TRY(const int64_t mask, to_integer(value, 0, std::numeric_limits<uint32_t>::max()));
  if (std::popcount(static_cast<uint32_t>(mask)) < 2)
    return fail(ErrorCode::invalid, "must have at least 2 bits set");
  into.iptables_mark_mask = static_cast<uint32_t>(mask);
  return {};
}

Result<> parse_route_protocol(std::string_view value, Parameters& into) {
  MARGAY_TRY(const int64_t number, to_integer(value, 0, 255));
  into.device_route_protocol = static_cast<uint8_t>(number);
  return {};
}

Result<> parse_nat_port_range(std::string_view value, Parameters& into) {
  const size_t colon = value.find(':');
  MARGAY_TRY(const int64_t first, to_integer(value.substr(0, colon), 0, 65535));
  int64_t last = first;
  if (colon != value.npos) {
    MARGAY_TRY(last, to_integer(value.substr(colon + 1), 0, 65535));
  }
  if (first > last) return fail(ErrorCode::invalid, "the first port must not exceed the last");
  into.nat_port_range = PortSpan{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
  return {};
}

Result<> parse_nat_address(std::string_view value, Parameters& into) {
  MARGAY_TRY(const auto address, base::IPAddress::parse(value));
  if (!address.is_v4()) return fail(ErrorCode::invalid, "must be an IPv4 address");
  into.nat_outgoing_address = address;
  return {};
}

Result<> parse_service_networks(std::string_view value, Parameters& into) {
  for (const auto part : base::split(value, ',')) {
    MARGAY_TRY(const auto net, base::Prefix::parse(base::trim(part)));
    into.service_networks.push_back(net);
  }
  return {};
}

// "none" is no failsafe.
Parser failsafes(std::vector<policy::Failsafe> policy::Failsafes::* side) {
  return {[side](std::string_view value, Parameters& into) -> Result<> {
            MARGAY_TRY(into.failsafes.*side, policy::parse_failsafes(value));
            return {};
          },
          [side](Parameters& into) { (into.failsafes.*side).clear(); }};
}

// ---- the table ------------------------------------------------------------------------------

struct Parameter {
  std::string name;
  Parser parser;
  bool guess_is_dangerous = false;
  bool non_zero = false;
};

constexpr bool k_dangerous = true;
constexpr bool k_non_zero = true;

std::vector<Parameter> parameters() {
  using P = Parameters;
  return {
      {"FelixHostname", text(&P::hostname), !k_dangerous, k_non_zero},
      {"LogSeverityScreen",
       one_of(&P::log_severity_screen, {"DEBUG", "INFO", "WARNING", "ERROR", "FATAL"})},
      {"HealthEnabled", boolean(&P::health_enabled)},
      {"HealthHost", text(&P::health_host)},
      {"HealthPort", integer(&P::health_port, 0, 65535)},
      {"PrometheusMetricsEnabled", boolean(&P::metrics_enabled)},
      {"PrometheusMetricsHost", text(&P::metrics_host)},
      {"PrometheusMetricsPort", integer(&P::metrics_port, 0, 65535)},
      {"Ipv6Support", boolean(&P::ipv6_support)},
      {"InterfacePrefix", parser(&P::interface_prefixes, parse_interface_prefixes), k_dangerous,
       k_non_zero},
      {"IptablesBackend", one_of(&P::iptables_backend, {"auto", "nft", "legacy"})},
      {"IptablesMarkMask", parser(&P::iptables_mark_mask, parse_mark_mask), k_dangerous,
       k_non_zero},
      {"IptablesFilterAllowAction",
       one_of<AllowAction>(&P::filter_allow_action, {{"ACCEPT", AllowAction::accept},
                                                     {"RETURN", AllowAction::return_to_host}}),
       k_dangerous, k_non_zero},
      {"DefaultEndpointToHostAction",
       one_of<EndpointToHostAction>(&P::endpoint_to_host_action,
                                    {{"DROP", EndpointToHostAction::drop},
                                     {"RETURN", EndpointToHostAction::return_to_host},
                                     {"ACCEPT", EndpointToHostAction::accept}}),
       k_dangerous, k_non_zero},
      {"FailsafeInboundHostPorts", failsafes(&policy::Failsafes::inbound), k_dangerous},
      {"FailsafeOutboundHostPorts", failsafes(&policy::Failsafes::outbound), k_dangerous},
      {"ServiceLoopPrevention",
       one_of<ServiceLoopPrevention>(&P::service_loop_prevention,
                                     {{"Drop", ServiceLoopPrevention::drop},
                                      {"Reject", ServiceLoopPrevention::reject},
                                      {"Disabled", ServiceLoopPrevention::disabled}}),
       !k_dangerous, k_non_zero},
      {k_service_networks, parser(&P::service_networks, parse_service_networks)},
      {"LogPrefix", text(&P::log_prefix, dataplane::linux_host::check_log_prefix)},
      {"DisableConntrackInvalidCheck", boolean(&P::disable_conntrack_invalid_check)},
      {"AllowVXLANPacketsFromWorkloads", boolean(&P::allow_vxlan_from_workloads)},
      {"AllowIPIPPacketsFromWorkloads", boolean(&P::allow_ipip_from_workloads)},
      {"FloatingIPs", one_of<bool>(&P::floating_ips, {{"Enabled", true}, {"Disabled", false}})},
      {"VXLANEnabled", boolean(&P::vxlan_enabled)},
      {"VXLANPort", integer(&P::vxlan_port, 1, 65535)},
      {"VXLANVNI", integer(&P::vxlan_vni, 0, 0xffffff)},
      {"VXLANMTU", integer(&P::vxlan_mtu, 0, 65535)},
      {"MTUIfacePattern", regular_expression(&P::mtu_interface_pattern)},
      {"NATPortRange", parser(&P::nat_port_range, parse_nat_port_range)},
      {"NATOutgoingAddress", parser(&P::nat_outgoing_address, parse_nat_address)},
      {"IptablesNATOutgoingInterfaceFilter",
       text(&P::nat_outgoing_interface_filter, dataplane::linux_host::check_interface_filter)},
      {"DeviceRouteProtocol", parser(&P::device_route_protocol, parse_route_protocol)},
      {"IptablesRefreshInterval", duration(&P::iptables_refresh_interval)},
      {"RouteRefreshInterval", duration(&P::route_refresh_interval)},
      {"IpsetsRefreshInterval", duration(&P::ipsets_refresh_interval)},
      {"EndpointReportingEnabled", boolean(&P::endpoint_reporting_enabled)},
  };
}

}  // namespace

Settings settings_from_environment(const char* const* environment) {
  constexpr std::string_view k_prefix = "FELIX_";
  Settings settings;
  for (; *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const size_t equals = line.find('=');
    if (line.starts_with(k_prefix) && equals != line.npos) {
      settings.emplace(line.substr(k_prefix.size(), equals - k_prefix.size()),
                       line.substr(equals + 1));
    }
  }
  return settings;
}

base::Result<Settings> settings_from_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::not_found, "cannot read " + path);
  Settings settings;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string_view content = base::trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';' || content[0] == '[') continue;
    const size_t equals = content.find('=');
    if (equals == content.npos) {
      return fail(ErrorCode::invalid,
                  fmt::format("{}:{}: expected \"Name = value\"", path, number));
    }
    settings[std::string(base::trim(content.substr(0, equals)))] =
        base::trim(content.substr(equals + 1));
  }
  return settings;
}

namespace {

// "none" is the zero value of the parameter's type.
Result<> set_to(const Parameter& parameter, std::string_view value, Parameters& into) {
  if (lower(value) != "none") return parameter.parser.parse(value, into);
  if (parameter.non_zero || !parameter.parser.set_zero)
    return fail(ErrorCode::invalid, "must not be none");
  parameter.parser.set_zero(into);
  return {};
}

}  // namespace

std::set<std::string> parameters_in_effect() {
  std::set<std::string> names;
  for (const auto& parameter : parameters()) names.insert(parameter.name);
  names.erase(k_service_networks);
  return names;
}

base::Result<Resolved> resolve(const std::vector<Settings>& sources) {
  const std::vector<Parameter> table = parameters();
  Resolved resolved;
  std::set<std::string> decided;
  for (const auto& settings : sources) {
    for (const auto& [name, value] : settings) {
      const auto parameter = std::ranges::find_if(
          table, [&](const Parameter& p) { return lower(p.name) == lower(name); });
      if (parameter == table.end()) {
        resolved.warnings.push_back(name + ": this setting has no effect in this version");
        continue;
      }
      // Nothing at all means the default, as if it were not set anywhere weaker either.
      if (!decided.insert(parameter->name).second || value.empty()) continue;
      const auto set = set_to(*parameter, base::trim(value), resolved.parameters);
      if (set) continue;
      const std::string problem =
          fmt::format("{}: \"{}\": {}", parameter->name, value, set.error().message);
      const bool none = lower(base::trim(value)) == "none";
      if (parameter->guess_is_dangerous || (none && parameter->non_zero))
        return fail(ErrorCode::invalid, problem);
      resolved.warnings.push_back(problem + "; using the default");
    }
  }
  return resolved;
}

}  // namespace margay::node
