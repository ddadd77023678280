#include "ctl/go_text.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <vector>

namespace margay::ctl {
namespace {

namespace json = boost::json;

// The shortest digits that say the number, with an exponent where that is below -4 or above 5.
std::string number_text(double number) {
  char digits[32];
  const auto shortest =
      std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
  const std::string_view scientific(digits, static_cast<size_t>(shortest.ptr - digits));
  const auto mark = scientific.find('e');
  int exponent = 0;
  const auto from = scientific.substr(mark + 1);
  std::from_chars(from.data() + (from.front() == '+' ? 1 : 0), from.data() + from.size(), exponent);
  constexpr int k_first_exponent = 6;
  if (exponent < -4 || exponent >= k_first_exponent)
    return fmt::format("{}e{}{:02}", scientific.substr(0, mark), exponent < 0 ? '-' : '+',
                       exponent < 0 ? -exponent : exponent);
  char plain[64];
  const auto fixed = std::to_chars(plain, plain + sizeof plain, number, std::chars_format::fixed);
  return {plain, fixed.ptr};
}

std::map<std::string_view, const json::value*> in_order(const json::object& object) {
  std::map<std::string_view, const json::value*> members;
  for (const auto& [key, value] : object) members[key] = &value;
  return members;
}

}  // namespace

std::string go_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_null()) return "<nil>";
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_double()) return number_text(value.get_double());
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  std::string text;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) text += (text.empty() ? "" : " ") + go_text(item);
    return "[" + text + "]";
  }
  for (const auto& [key, member] : in_order(value.get_object()))
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", key, go_text(*member));
  return "map[" + text + "]";
}

std::string go_join(const json::value& value, std::string_view separator, size_t most) {
  std::vector<std::string> parts;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) parts.push_back(go_text(item));
  } else if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : in_order(*object))
      parts.push_back(fmt::format("{}={}", key, go_text(*member)));
  } else if (!value.is_null()) {
    parts.push_back(go_text(value));
  }
  constexpr std::string_view k_rest = "...";
  std::string text;
  for (const auto& part : parts) {
    if (&part != &parts.front()) text += separator;
    text += part;
    if (most == 0 || text.size() <= most) continue;
    text.resize(most - k_rest.size());
    return text + std::string(k_rest);
  }
  return text;
}

}  // namespace margay::ctl
