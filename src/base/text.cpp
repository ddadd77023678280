#include "base/text.h"

namespace margay::base {

std::string_view trim(std::string_view text) {
  constexpr const char* k_space = " \t\r\n";
  const auto first = text.find_first_not_of(k_space);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(k_space) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end = text.find(separator); end != text.npos; end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_trimmed(std::string_view text, char separator) {
  auto parts = split(text, separator);
  for (auto& part : parts) part = trim(part);
  std::erase(parts, std::string_view());
  return parts;
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    text += k_digits[byte >> 4];
    text += k_digits[byte & 0x0f];
  }
  return text;
}

}  // namespace margay::base
