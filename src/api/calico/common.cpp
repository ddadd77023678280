#include "api/calico/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "selector/ast.h"
#include "selector/selector.h"

namespace margay::api::calico {

namespace {

const std::vector<std::string> k_protocol_names{"TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite"};

bool mentions_global(const selector::Node& node) {
  using namespace selector;
  const auto any = [](const std::vector<NodePtr>& operands) {
    return std::ranges::any_of(operands, [](const NodePtr& one) { return mentions_global(*one); });
  };
  return std::visit(
      Overloaded{[](const Global&) { return true; },
                 [](const Negation& negation) { return mentions_global(*negation.operand); },
                 [&](const Conjunction& terms) { return any(terms.operands); },
                 [&](const Disjunction& terms) { return any(terms.operands); },
                 [](const auto&) { return false; }},
      node.form);
}

void check_selector(const std::string& text, bool namespaces, const Report& report) {
  const auto parsed = selector::Selector::parse(text);
  if (!parsed) {
    report.invalid(text, "must be a selector: " + parsed.error().message);
  } else if (!namespaces && mentions_global(parsed->root())) {
    report.invalid(text, "global() can only be used in the namespaceSelector of a rule");
  } else if (!parsed->is_global() && mentions_global(parsed->root())) {
    report.invalid(text, "global() cannot be combined with other terms");
  }
}

std::optional<int64_t> to_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

void numeric_text_to_number(json::value& value) {
  if (!value.is_string()) return;
  if (const auto number = to_number(value.get_string())) value = *number;
}

void single_range_to_number(json::value& value) {
  numeric_text_to_number(value);
  if (!value.is_string()) return;
  const std::string_view text = value.get_string();
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return;
  const auto low = to_number(text.substr(0, colon));
  if (low && low == to_number(text.substr(colon + 1))) value = *low;
}

bool is_port(std::optional<int64_t> number) { return number && *number >= 1 && *number <= 65535; }

void check_port_text(const std::string& text, const Report& report) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) {
    if (!formats::is_port_name(text))
      report.invalid(text, "must be a port number (1-65535), a range such as 8080:8090, or a name");
    return;
  }
  const auto low = to_number(std::string_view(text).substr(0, colon));
  const auto high = to_number(std::string_view(text).substr(colon + 1));
  if (!is_port(low) || !is_port(high))
    report.invalid(text, "must be a range of port numbers (1-65535) such as 8080:8090");
  else if (*low > *high)
    report.invalid(text, "the first port of a range must not be above the last");
}

void check_port(const IntOrString& port, const Report& report) {
  if (const auto* text = std::get_if<std::string>(&port)) {
    check_port_text(*text, report);
  } else if (!is_port(std::get<int64_t>(port))) {
    report.invalid(std::get<int64_t>(port), "must be between 1 and 65535, inclusive");
  }
}

void check_protocol(const IntOrString& protocol, const Report& report) {
  if (const auto* number = std::get_if<int64_t>(&protocol)) {
    if (*number < 1 || *number > 255)
      report.invalid(*number, "must be between 1 and 255, inclusive");
  } else if (std::ranges::find(k_protocol_names, std::get<std::string>(protocol)) ==
             k_protocol_names.end()) {
    report.not_supported(json::value(std::get<std::string>(protocol)), k_protocol_names);
  }
}

}  // namespace

Described<std::string> selector() {
  return string().check(
      [](const std::string& text, const Report& report) { check_selector(text, false, report); });
}

Described<std::string> namespace_selector() {
  return string().check(
      [](const std::string& text, const Report& report) { check_selector(text, true, report); });
}

Described<IntOrString> port() {
  return int_or_string().normalize(single_range_to_number).check(check_port);
}

Described<IntOrString> protocol() {
  return int_or_string().normalize(numeric_text_to_number).check(check_protocol);
}

bool has_ports(const IntOrString& protocol) {
  if (const auto* number = std::get_if<int64_t>(&protocol))
    return *number == 6 || *number == 17 || *number == 132;
  const auto& name = std::get<std::string>(protocol);
  return name == "TCP" || name == "UDP" || name == "SCTP";
}

std::optional<uint32_t> to_as_number(const IntOrString& value) {
  const auto within = [](std::optional<int64_t> number, int64_t limit) {
    return number && *number >= 0 && *number <= limit;
  };
  if (const auto* number = std::get_if<int64_t>(&value)) {
    if (!within(*number, UINT32_MAX)) return {};
    return static_cast<uint32_t>(*number);
  }
  const std::string_view text = std::get<std::string>(value);
  if (text.find('-') != std::string_view::npos) return {};
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) {
    const auto number = to_number(text);
    if (!within(number, UINT32_MAX)) return {};
    return static_cast<uint32_t>(*number);
  }
  const auto high = to_number(text.substr(0, dot));
  const auto low = to_number(text.substr(dot + 1));
  if (!within(high, UINT16_MAX) || !within(low, UINT16_MAX)) return {};
  return static_cast<uint32_t>(*high << 16 | *low);
}

Described<IntOrString> as_number() {
  return int_or_string().check([](const IntOrString& value, const Report& report) {
    if (to_as_number(value)) return;
    if (const auto* number = std::get_if<int64_t>(&value))
      report.invalid(*number, "must be an AS number, 0 to 4294967295");
    else
      report.invalid(std::get<std::string>(value), "must be an AS number such as 64512 or 0.64512");
  });
}

Described<std::string> log_severity() {
  return string().one_of({"Debug", "Info", "Warning", "Error", "Fatal"});
}

void only_default(const std::string& name, const Report& report) {
  if (name != "default") report.invalid(name, "must be \"default\"");
}

Described<std::string> net() { return string().check(formats::net); }

Described<EndpointPort> endpoint_port() {
  return object<EndpointPort>(
             "projectcalico.org.v3.EndpointPort", "A port that rules can call by name.",
             {field("name", &EndpointPort::name, string().check(formats::port_name),
                    "The name rules use.")
                  .required(),
              field("protocol", &EndpointPort::protocol, protocol(), "TCP, UDP or SCTP.")
                  .required(),
              field("port", &EndpointPort::port, integer().between(1, 65535), "The port's number.")
                  .required()})
      .check([](const EndpointPort& port, const Report& report) {
        if (has_ports(port.protocol)) return;
        const auto written =
            std::visit([](const auto& held) { return json::value(held); }, port.protocol);
        report.field("protocol").not_supported(written, {"TCP", "UDP", "SCTP"});
      });
}

Kind kind(std::string name, std::string plural, std::vector<std::string> short_names,
          bool namespaced, std::string doc, std::vector<Column> columns) {
  columns.push_back({"Age", "date", ".metadata.creationTimestamp", "Time since creation."});
  return {.group = k_group,
          .version = k_version,
          .name = std::move(name),
          .plural = std::move(plural),
          .singular = {},
          .short_names = std::move(short_names),
          .categories = {},
          .namespaced = namespaced,
          .has_status = false,
          .doc = std::move(doc),
          .schema = {},
          .columns = std::move(columns)};
}

}  // namespace margay::api::calico
