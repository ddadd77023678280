#include "api/formats.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace margay::api::formats {

namespace {

constexpr size_t k_label_limit = 63;
constexpr size_t k_subdomain_limit = 253;
constexpr size_t k_port_name_limit = 15;
constexpr size_t k_annotations_limit = size_t{256} * 1024;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_lower_alnum(char c) { return is_lower(c) || is_digit(c); }
bool is_alnum(char c) { return is_letter(c) || is_digit(c); }

bool all_of(std::string_view text, bool (*test)(char)) { return std::ranges::all_of(text, test); }

// Alphanumeric at both ends; '-', '_' and '.' allowed between.
bool is_label_word(std::string_view text) {
  return !text.empty() && text.size() <= k_label_limit && is_alnum(text.front()) &&
         is_alnum(text.back()) &&
         all_of(text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string qualified_name_rule(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    if (!is_dns_subdomain(text.substr(0, slash)))
      return "the part before '/' must be a lowercase DNS subdomain of at most 253 characters";
    text.remove_prefix(slash + 1);
  }
  if (is_label_word(text)) return {};
  return "a name must be 1 to 63 letters, digits, '-', '_' or '.', and start and end with a letter "
         "or digit, optionally after a DNS subdomain and '/'";
}

bool is_label_value(std::string_view text) { return text.empty() || is_label_word(text); }

std::string label_value_rule() {
  return "a label value must be empty, or at most 63 letters, digits, '-', '_' or '.', and start "
         "and end with a letter or digit";
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= k_label_limit && is_lower_alnum(text.front()) &&
         is_lower_alnum(text.back()) &&
         all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > k_subdomain_limit) return false;
  for (;;) {
    const std::string_view part = text.substr(0, text.find('.'));
    const bool well_formed = !part.empty() && is_lower_alnum(part.front()) &&
                             is_lower_alnum(part.back()) &&
                             all_of(part, [](char c) { return is_lower_alnum(c) || c == '-'; });
    if (!well_formed) return false;
    if (part.size() == text.size()) return true;
    text.remove_prefix(part.size() + 1);
  }
}

bool is_port_name(std::string_view text) {
  return !text.empty() && text.size() <= k_port_name_limit && is_lower_alnum(text.front()) &&
         is_lower_alnum(text.back()) && text.find("--") == std::string_view::npos &&
         std::ranges::any_of(text, is_lower) &&
         all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

void dns_label(const std::string& text, const Report& report) {
  if (!is_dns_label(text))
    report.invalid(text,
                   "must be a lowercase RFC 1123 label: at most 63 lower case letters, digits or "
                   "'-', starting and ending with a letter or digit");
}

void dns_subdomain(const std::string& text, const Report& report) {
  if (!is_dns_subdomain(text))
    report.invalid(text,
                   "must be a lowercase RFC 1123 subdomain: at most 253 lower case letters, "
                   "digits, '-' or '.', each part starting and ending with a letter or digit");
}

void service_name(const std::string& text, const Report& report) {
  if (!is_dns_label(text) || !is_lower(text.front()))
    report.invalid(text,
                   "must be an RFC 1035 label: at most 63 lower case letters, digits or '-', "
                   "starting with a letter and ending with a letter or digit");
}

void path_segment(const std::string& text, const Report& report) {
  if (text.empty() || text == "." || text == ".." || text.find_first_of("/%") != std::string::npos)
    report.invalid(text, "must not be '.', '..', nor contain '/' or '%'");
}

void port_name(const std::string& text, const Report& report) {
  if (!is_port_name(text))
    report.invalid(text,
                   "must be a port name (RFC 6335): at most 15 lower case letters, digits or "
                   "single '-', with at least one letter, starting and ending with a letter or "
                   "digit");
}

void qualified_name(const std::string& text, const Report& report) {
  if (auto rule = qualified_name_rule(text); !rule.empty()) report.invalid(text, std::move(rule));
}

void label_value(const std::string& text, const Report& report) {
  if (!is_label_value(text)) report.invalid(text, label_value_rule());
}

void labels(const Labels& labels, const Report& report) {
  for (const auto& [key, value] : labels) {
    if (auto rule = qualified_name_rule(key); !rule.empty()) report.invalid(key, std::move(rule));
    if (!is_label_value(value)) report.key(key).invalid(value, label_value_rule());
  }
}

void annotations(const Labels& annotations, const Report& report) {
  size_t total = 0;
  for (const auto& [key, value] : annotations) {
    total += key.size() + value.size();
    // The prefix of an annotation's key may be in upper case.
    std::string lower = key;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (auto rule = qualified_name_rule(lower); !rule.empty()) report.invalid(key, std::move(rule));
  }
  if (total > k_annotations_limit) report.too_long(total, k_annotations_limit);
}

void ip_address(const std::string& text, const Report& report) {
  if (!base::IPAddress::parse(text)) report.invalid(text, "must be an IPv4 or IPv6 address");
}

void ipv4_address(const std::string& text, const Report& report) {
  const auto address = base::IPAddress::parse(text);
  if (!address || !address->is_v4()) report.invalid(text, "must be an IPv4 address");
}

void ipv6_address(const std::string& text, const Report& report) {
  const auto address = base::IPAddress::parse(text);
  if (!address || !address->is_v6()) report.invalid(text, "must be an IPv6 address");
}

void net(const std::string& text, const Report& report) {
  if (!base::Prefix::parse(text))
    report.invalid(text, "must be an IP address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32");
}

void cidr(const std::string& text, const Report& report) {
  if (text.find('/') == std::string::npos || !base::Prefix::parse(text))
    report.invalid(text, "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32");
}

void network(const std::string& text, const Report& report) {
  if (text.find('/') == std::string::npos)
    report.invalid(text, "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32");
  else if (const auto prefix = base::Prefix::parse(text); !prefix)
    report.invalid(text, "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32");
  else if (!base::Prefix::parse_strict(text))
    report.invalid(text, "has bits set after its length; its network is " + prefix->to_string());
}

void mac_address(const std::string& text, const Report& report) {
  static const RE2 k_pattern(
      "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}");
  if (!RE2::FullMatch(text, k_pattern))
    report.invalid(text, "must be a MAC address such as 66:2d:5f:00:00:01");
}

void interface_name(const std::string& text, const Report& report) {
  const bool valid = !text.empty() && text.size() <= 15 && all_of(text, [](char c) {
    return is_alnum(c) || c == '_' || c == '.' || c == '-';
  });
  if (!valid)
    report.invalid(text, "must be an interface name: 1 to 15 letters, digits, '_', '.' or '-'");
}

void regular_expression(const std::string& text, const Report& report) {
  if (text.size() > k_longest_expression)
    return report.too_long(boost::json::value(text), k_longest_expression);
  const RE2 pattern(text, RE2::Quiet);
  if (!pattern.ok()) report.invalid(text, "must be a regular expression: " + pattern.error());
}

void rfc3339(const std::string& text, const Report& report) {
  static const RE2 k_pattern(
      R"((\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))");
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  const bool valid = RE2::FullMatch(text, k_pattern, &year, &month, &day) &&
                     std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(month),
                                                 std::chrono::day(day))
                         .ok();
  if (!valid) report.invalid(text, "must be an RFC 3339 time such as 2021-04-30T12:00:00Z");
}

void base64(const std::string& text, const Report& report) {
  size_t length = 0;
  size_t padding = 0;
  bool valid = true;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    ++length;
    if (c == '=') {
      ++padding;
    } else {
      valid &= padding == 0 && (is_alnum(c) || c == '+' || c == '/');
    }
  }
  if (!valid || padding > 2 || length % 4 != 0)
    report.invalid(std::string("<hidden>"), "must be base64");
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  static constexpr Unit k_units[] = {{"ns", 1},   {"us", 1e3}, {"\u00b5s", 1e3}, {"\u03bcs", 1e3},
                                     {"ms", 1e6}, {"s", 1e9},  {"m", 6e10},      {"h", 3.6e12}};
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  double total = 0;
  bool any = false;
  while (!text.empty()) {
    if (!is_digit(text.front()) && text.front() != '.') return {};  // a second sign, "nan", "inf"
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc()) return {};
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const auto* unit = std::ranges::find(k_units, name, &Unit::name);
    if (unit == std::end(k_units)) return {};
    text.remove_prefix(name.size());
    total += number * unit->nanoseconds;
    any = true;
  }
  if (!any || total >= 9223372036854775808.0) return {};
  return std::chrono::nanoseconds(static_cast<int64_t>(total));
}

void duration(const std::string& text, const Report& report) {
  if (!parse_duration(text)) report.invalid(text, "must be a duration such as 90s or 1m30s");
}

void http_method(const std::string& text, const Report& report) {
  static const RE2 k_token("[-!#$%&'*+.^_`|~0-9A-Za-z]+");
  if (!RE2::FullMatch(text, k_token))
    report.invalid(text, "must be an HTTP method such as GET, or *: letters, digits, and no space");
}

void wireguard_key(const std::string& text, const Report& report) {
  static const RE2 k_key("[A-Za-z0-9+/]{43}=");
  if (!RE2::FullMatch(text, k_key)) report.invalid(text, "must be 32 bytes in base64");
}

}  // namespace margay::api::formats
