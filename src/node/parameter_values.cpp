#include "node/parameter_values.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "api/formats.h"
#include "base/text.h"
#include "dataplane/linux/setting_text.h"
#include "policy/workload_interfaces.h"

namespace margay::node {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

Result<> check_regular_expression(std::string_view value) {
  if (value.size() > api::formats::k_longest_expression)
    return fail(ErrorCode::invalid, "is too long for a regular expression");
  const RE2 pattern(value, RE2::Quiet);
  if (!pattern.ok())
    return fail(ErrorCode::invalid, "must be a regular expression: " + pattern.error());
  return {};
}

Result<std::chrono::milliseconds> to_duration(std::string_view text, double plain_unit) {
  static const std::vector<std::pair<std::string_view, double>> k_units{
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  const auto bad = [plain_unit] {
    return fail(ErrorCode::invalid,
                fmt::format("must be {} (\"90\") or a duration (\"1m30s\"), of 30 years at most",
                            plain_unit == 1 ? "milliseconds" : "seconds"));
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
    total += number * (is_plain ? plain_unit : unit->second);
    if (!(total <= k_longest_ms)) return bad();
    if (!is_plain) text.remove_prefix(unit->first.size());
  }
  return std::chrono::milliseconds(std::llround(total));
}

// As a regular expression.
Result<std::string> excluded_interface(std::string_view element) {
  if (element.size() > 2 && element.starts_with('/') && element.ends_with('/')) {
    element = element.substr(1, element.size() - 2);
    MARGAY_CHECK(check_regular_expression(element));
    return std::string(element);
  }
  static const RE2 k_name("[a-zA-Z0-9_-]{1,15}");
  if (!RE2::FullMatch(element, k_name))
    return fail(
        ErrorCode::invalid,
        fmt::format("\"{}\" must be an interface's name or /a regular expression/", element));
  return fmt::format("^{}$", element);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

Result<bool> to_boolean(std::string_view text) {
  static const std::set<std::string, std::less<>> k_true{"true", "1", "yes", "y", "t"};
  static const std::set<std::string, std::less<>> k_false{"false", "0", "no", "n", "f"};
  const std::string value = lower_case(text);
  if (!k_true.contains(value) && !k_false.contains(value))
    return fail(ErrorCode::invalid, "must be true or false");
  return k_true.contains(value);
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

Parser boolean(Member<bool> member) {
  return parser(member, [member](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_TRY(into.*member, to_boolean(value));
    return {};
  });
}

Parser text(Member<std::string> member, Result<> (*check)(std::string_view text)) {
  return parser(member, [member, check](std::string_view value, Parameters& into) -> Result<> {
    if (check != nullptr) MARGAY_CHECK(check(value));
    into.*member = value;
    return {};
  });
}

Parser regular_expression(Member<std::string> member) {
  return text(member, check_regular_expression);
}

Parser one_of(Member<std::string> member, const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, std::string>> choices;
  choices.reserve(names.size());
  for (const auto& name : names) choices.emplace_back(name, name);
  return one_of<std::string>(member, std::move(choices));
}

Parser duration(Member<std::chrono::milliseconds> member, std::chrono::milliseconds unit) {
  return parser(member, [member, unit](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_TRY(into.*member, to_duration(value, static_cast<double>(unit.count())));
    return {};
  });
}

Parser ipv4_address(Member<std::optional<base::IPAddress>> member) {
  return parser(member, [member](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_TRY(const auto address, base::IPAddress::parse(value));
    if (!address.is_v4()) return fail(ErrorCode::invalid, "must be an IPv4 address");
    into.*member = address;
    return {};
  });
}

Parser mac_address(Member<std::optional<net::MacAddress>> member) {
  return parser(member, [member](std::string_view value, Parameters& into) -> Result<> {
    MARGAY_TRY(const auto mac, net::MacAddress::parse(value));
    if (!mac.is_unicast())
      return fail(ErrorCode::invalid, "must be a MAC address that an interface can have");
    into.*member = mac;
    return {};
  });
}

Parser interface_prefixes() {
  return parser(
      &Parameters::interface_prefixes, [](std::string_view value, Parameters& into) -> Result<> {
        std::vector<std::string> prefixes;
        for (const auto part : base::split(value, ',')) {
          const auto name = base::trim(part);
          if (const auto fits = dataplane::linux_host::check_interface_prefix(name); !fits)
            return fail(fits.error().wrap(fmt::format("\"{}\"", name)));
          prefixes.emplace_back(name);
        }
        into.interface_prefixes = policy::WorkloadInterfaces::named(std::move(prefixes)).prefixes;
        return {};
      });
}

Parser excluded_interfaces() {
  return parser(&Parameters::interface_exclude,
                [](std::string_view value, Parameters& into) -> Result<> {
                  std::vector<std::string> patterns;
                  for (const auto element : base::split(value, ',')) {
                    MARGAY_TRY(patterns.emplace_back(), excluded_interface(base::trim(element)));
                  }
                  into.interface_exclude = std::move(patterns);
                  return {};
                });
}

// The data planes need two bits of their own.
Parser mark_mask() {
  return parser(
      &Parameters::iptables_mark_mask, [](std::string_view value, Parameters& into) -> Result<> {
        MARGAY_TRY(const int64_t mask, to_integer(value, 0, std::numeric_limits<uint32_t>::max()));
        if (std::popcount(static_cast<uint32_t>(mask)) < 2)
          return fail(ErrorCode::invalid, "must have at least 2 bits set");
        into.iptables_mark_mask = static_cast<uint32_t>(mask);
        return {};
      });
}

Parser route_protocol() {
  return parser(&Parameters::device_route_protocol,
                [](std::string_view value, Parameters& into) -> Result<> {
                  MARGAY_TRY(const int64_t number, to_integer(value, 0, 255));
                  into.device_route_protocol = static_cast<uint8_t>(number);
                  return {};
                });
}

Parser nat_port_range() {
  return parser(
      &Parameters::nat_port_range, [](std::string_view value, Parameters& into) -> Result<> {
        const size_t colon = value.find(':');
        MARGAY_TRY(const int64_t first, to_integer(value.substr(0, colon), 0, 65535));
        int64_t last = first;
        if (colon != value.npos) {
          MARGAY_TRY(last, to_integer(value.substr(colon + 1), 0, 65535));
        }
        if (first > last)
          return fail(ErrorCode::invalid, "the first port must not exceed the last");
        into.nat_port_range = PortSpan{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
        return {};
      });
}

Parser failsafes(std::vector<policy::Failsafe> policy::Failsafes::* side) {
  return {[side](std::string_view value, Parameters& into) -> Result<> {
            MARGAY_TRY(into.failsafes.*side, policy::parse_failsafes(value));
            return {};
          },
          [side](Parameters& into) { (into.failsafes.*side).clear(); }};
}

Parser external_nodes() {
  return parser(&Parameters::external_nodes,
                [](std::string_view value, Parameters& into) -> Result<> {
                  std::vector<base::Prefix> nodes;
                  for (const auto part : base::split_trimmed(value, ',')) {
                    auto net = base::Prefix::parse(part);
                    if (!net || net->family() != base::IPFamily::v4)
                      return fail(ErrorCode::invalid,
                                  fmt::format("\"{}\" must be an IPv4 address or CIDR", part));
                    nodes.push_back(*net);
                  }
                  into.external_nodes = std::move(nodes);
                  return {};
                });
}

Parser feature_overrides() {
  return parser(
      &Parameters::feature_overrides, [](std::string_view value, Parameters& into) -> Result<> {
        std::map<std::string, bool> features;
        for (const auto part : base::split_trimmed(value, ',')) {
          const size_t equals = part.find('=');
          const std::string_view setting =
              equals == part.npos ? std::string_view() : base::trim(part.substr(equals + 1));
          const auto on = to_boolean(setting);
          if (!on)
            return fail(ErrorCode::invalid,
                        fmt::format("\"{}\" must be a feature's name and =true or =false", part));
          features[std::string(base::trim(part.substr(0, equals)))] = *on;
        }
        into.feature_overrides = std::move(features);
        return {};
      });
}

Parser datastore_type() {
  return {[](std::string_view value, Parameters&) -> Result<> {
            if (lower_case(value) == "kubernetes") return {};
            return fail(ErrorCode::invalid,
                        "must be kubernetes: this agent reads a Kubernetes API, and what policies "
                        "are in etcd would not hold");
          },
          {}};
}

}  // namespace margay::node
