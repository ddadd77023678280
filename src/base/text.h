#pragma once

// Lists in one text, as settings, annotations and environment variables hold them; bytes as text.

#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace margay::base {

// Without white space (blanks, tabs, line ends) at its ends.
std::string_view trim(std::string_view text);
// What stands between separators, empty parts included: at least one part. Views of `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// The same trimmed, and without empty parts.
std::vector<std::string_view> split_trimmed(std::string_view text, char separator);
// The views would outlive the text.
template <std::same_as<std::string> Text>
void split(Text&& text, char separator) = delete;
template <std::same_as<std::string> Text>
void split_trimmed(Text&& text, char separator) = delete;

// Two digits a byte, in lower case.
std::string hex(std::span<const unsigned char> bytes);

}  // namespace margay::base
