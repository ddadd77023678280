#include "api/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace margay::api {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_any(std::string_view text, Words words) {
  return std::ranges::find(words, text) != words.end();
}

std::optional<json::value> word(std::string_view text) {
  if (is_any(text, {"", "~", "null", "Null", "NULL"})) return json::value();
  if (is_any(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (is_any(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}))
    return false;
  return {};
}

// 12, 0x1f, 0o17, 017, 0b101, with a sign.
std::optional<json::value> integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  const auto prefixed = [&](std::string_view prefix) {
    if (!text.starts_with(prefix) || text.size() == prefix.size()) return false;
    text.remove_prefix(prefix.size());
    return true;
  };
  if (prefixed("0x") || prefixed("0X"))
    base = 16;
  else if (prefixed("0b") || prefixed("0B"))
    base = 2;
  else if (prefixed("0o") || prefixed("0O") || prefixed("0"))
    base = 8;
  uint64_t magnitude = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  constexpr uint64_t k_limit = uint64_t{1} << 63;
  if (negative) {
    if (magnitude > k_limit) return {};
    return static_cast<int64_t>(~magnitude + 1);
  }
  if (magnitude < k_limit) return static_cast<int64_t>(magnitude);
  return magnitude;
}

// Removes the digits that `text` begins with; how many they were.
size_t skip_digits(std::string_view& text) {
  const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(count);
  return count;
}

// 1.5, .5, 1., 1e3, with a sign.
bool is_floating(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  size_t digits = skip_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits += skip_digits(text);
  }
  if (digits == 0) return false;
  if (!text.starts_with('e') && !text.starts_with('E')) return text.empty();
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return skip_digits(text) > 0 && text.empty();
}

std::optional<json::value> floating(std::string_view text) {
  if (!is_floating(text)) return {};
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  return number;
}

bool is_infinite(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return is_any(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"});
}

}  // namespace

base::Result<json::value> resolve_plain_scalar(std::string_view text) {
  if (auto value = word(text)) return *value;
  const bool numeric =
      !text.empty() && std::string_view("+-.0123456789").find(text[0]) != std::string_view::npos;
  if (!numeric) return json::value(text);
  if (is_infinite(text))
    return base::fail(base::ErrorCode::invalid,
                      "\"" + std::string(text) + "\" has no form in JSON");
  std::string digits(text);
  std::erase(digits, '_');
  if (auto value = integer(digits)) return *value;
  if (auto value = floating(digits)) return *value;
  return json::value(text);
}

std::optional<char32_t> special_character(std::string_view text) {
  const auto at = [text](size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  if (text.starts_with('\x7f')) return 0x7f;
  if (text.size() >= 2 && at(0) == 0xc2 && at(1) <= 0x9f) return at(1);  // the C1 controls
  if (text.size() < 3 || (at(0) != 0xe2 && at(0) != 0xef)) return {};
  const char32_t c = (at(0) & 0x0fU) << 12U | (at(1) & 0x3fU) << 6U | (at(2) & 0x3fU);
  const bool is_special = is_disputed_break(c) || c == 0xfeff || c == 0xfffe || c == 0xffff;
  return is_special ? std::optional(c) : std::nullopt;
}

}  // namespace margay::api
