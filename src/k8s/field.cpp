#include "k8s/field.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "k8s/names.h"
#include "policy/port_ranges.h"
#include "policy/protocol.h"
#include "selector/ast.h"
#include "selector/parser.h"

namespace margay::k8s {
namespace {

using policy::IPAddress;
using policy::PortRange;
using policy::Prefix;
using selector::Selector;

constexpr int64_t k_max_port = 65535;

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stopped != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_port(int64_t port) { return 0 <= port && port <= k_max_port; }

std::optional<PortRange> read_range(int64_t first, int64_t last) {
  if (!is_port(first) || !is_port(last) || first > last) return std::nullopt;
  return PortRange{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

bool is_name(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return std::isalpha(c) != 0; }) &&
         text.find(':') == text.npos;
}

void read_port_text(const std::string& text, const Field& field, Ports& ports) {
  const size_t colon = text.find(':');
  const auto first = number(std::string_view(text).substr(0, colon));
  const auto last = colon == text.npos ? first : number(std::string_view(text).substr(colon + 1));
  const auto range = first && last ? read_range(*first, *last) : std::nullopt;
  if (range) {
    ports.ranges.push_back(*range);
  } else if (!first && is_name(text)) {
    ports.names.push_back(text);
  } else {
    field.invalid(text, "must be a port, a range <first>:<last> within 0 to 65535, or a name");
  }
}

bool is_mapped(const Prefix& prefix) {
  static const Prefix k_mapped = *Prefix::parse("::ffff:0.0.0.0/96");
  return prefix.length() >= k_mapped.length() && k_mapped.contains(prefix.address());
}

bool mentions_global(const selector::NodePtr& root) {
  bool found = false;
  selector::map_tests(root, [&found](const selector::NodePtr& test) {
    found |= std::holds_alternative<selector::Global>(test->form);
    return test;
  });
  return found;
}

selector::NodePtr of_namespace(const selector::NodePtr& test) {
  const auto has_namespace = [] {
    return selector::make_node(selector::Has{std::string(k_namespace_label)});
  };
  if (std::holds_alternative<selector::All>(test->form)) return has_namespace();
  if (std::holds_alternative<selector::Global>(test->form))
    return selector::negate(has_namespace());
  return selector::with_key_prefix(test, k_namespace_prefix);
}

}  // namespace

Field Field::operator/(std::string_view name) const {
  // Made for every field that is read, though few are named in the end: not formatted.
  std::string path;
  path.reserve(path_.size() + 1 + name.size());
  path += path_;
  if (!path_.empty()) path += '.';
  path += name;
  return {std::move(path), *problems_};
}

Field Field::operator[](size_t index) const {
  return {path_ + '[' + std::to_string(index) + ']', *problems_};
}

void Field::invalid(std::string_view value, std::string detail) const {
  constexpr size_t k_longest = 256;
  const auto shown = base::to_utf8(value.substr(0, k_longest));
  add(fmt::format("\"{}{}\"", shown, value.size() > k_longest ? "..." : ""), std::move(detail));
}

void Field::invalid(int64_t value, std::string detail) const {
  add(std::to_string(value), std::move(detail));
}

// Of very many the first are enough to say what is wrong.
void Field::add(std::string value, std::string detail) const {
  constexpr size_t k_most = 100;
  if (problems_->size() < k_most)
    problems_->push_back({.path = path_, .value = std::move(value), .detail = std::move(detail)});
}

std::optional<Prefix> read_net(const std::string& net, const Field& field) {
  const auto prefix = Prefix::parse(net);
  if (prefix && is_mapped(*prefix)) {
    field.invalid(net, "must be written as IPv4: no packet has an IPv4-mapped address");
    return std::nullopt;
  }
  if (prefix) return *prefix;
  field.invalid(net, "must be an IP address or CIDR");
  return std::nullopt;
}

std::vector<Prefix> read_nets(const std::vector<std::string>& nets, const Field& field) {
  std::vector<Prefix> prefixes;
  for (size_t i = 0; i < nets.size(); ++i)
    if (const auto prefix = read_net(nets[i], field[i])) prefixes.push_back(*prefix);
  return prefixes;
}

std::optional<IPAddress> read_address(std::string_view text, const Field& field) {
  const auto prefix = Prefix::parse(text);
  const bool is_unspecified = prefix && std::ranges::count(prefix->address().bytes(), 0) ==
                                            std::ssize(prefix->address().bytes());
  if (prefix && prefix->is_single() && !is_unspecified) return prefix->address();
  field.invalid(text, is_unspecified ? "is the address of nobody" : "must be an IP address");
  return std::nullopt;
}

std::vector<IPAddress> read_addresses(const std::vector<std::string>& addresses,
                                      const Field& field) {
  std::vector<IPAddress> read;
  for (size_t i = 0; i < addresses.size(); ++i)
    if (const auto address = read_address(addresses[i], field[i])) read.push_back(*address);
  return read;
}

void read_port(const api::IntOrString& port, const Field& field, Ports& ports) {
  if (const auto* text = std::get_if<std::string>(&port)) {
    read_port_text(*text, field, ports);
  } else if (const auto value = read_port_number(std::get<int64_t>(port), field)) {
    ports.ranges.push_back({*value, *value});
  }
}

Ports read_ports(const std::vector<api::IntOrString>& ports, const Field& field) {
  Ports read;
  for (size_t i = 0; i < ports.size(); ++i) read_port(ports[i], field[i], read);
  return read;
}

void simplify(Ports& ports) {
  std::ranges::sort(ports.names);
  ports.names.erase(std::ranges::unique(ports.names).begin(), ports.names.end());
  ports.ranges = policy::merged(std::move(ports.ranges));
}

void check_names(const Ports& ports, const Field& field) {
  constexpr size_t k_most = 64;
  if (ports.names.size() > k_most)
    field.invalid("", fmt::format("a rule has at most {} names of ports", k_most));
}

std::optional<uint16_t> read_port_number(int64_t port, const Field& field) {
  if (is_port(port)) return static_cast<uint16_t>(port);
  field.invalid(port, "must be a port, 0 to 65535");
  return std::nullopt;
}

std::optional<uint8_t> read_protocol(const api::IntOrString& protocol, const Field& field) {
  const auto* text = std::get_if<std::string>(&protocol);
  const auto value = text ? number(*text) : std::get<int64_t>(protocol);
  if (value && 1 <= *value && *value <= 255) return static_cast<uint8_t>(*value);

  const std::string name = text ? *text : std::to_string(*value);
  if (const auto known = policy::protocol_by_name(name)) return known;
  field.invalid(name, "must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255");
  return std::nullopt;
}

std::optional<Selector> read_selector(std::string_view text, const Field& field) {
  const auto root = selector::parse(text);
  if (!root) {
    field.invalid(text, root.error().message);
    return std::nullopt;
  }
  if (mentions_global(*root)) {
    field.invalid(text, "global() is for a rule's namespaceSelector only");
    return std::nullopt;
  }
  return Selector(*root);
}

std::optional<Selector> read_namespace_selector(std::string_view text, const Field& field) {
  const auto root = selector::parse(text);
  if (root) return Selector(selector::map_tests(*root, of_namespace));
  field.invalid(text, root.error().message);
  return std::nullopt;
}

Selector with_all_as(const Selector& selector, std::string_view label) {
  const auto replace = [&label](const selector::NodePtr& test) {
    return std::holds_alternative<selector::All>(test->form)
               ? selector::make_node(selector::Has{std::string(label)})
               : test;
  };
  const auto root = std::make_shared<const selector::Node>(selector.root());
  return Selector(selector::map_tests(root, replace));
}

std::optional<Selector> read_service_account_selector(std::string_view text, const Field& field) {
  const auto selector = read_selector(text, field);
  if (!selector) return std::nullopt;
  return selector->with_key_prefix(k_service_account_prefix);
}

}  // namespace margay::k8s
