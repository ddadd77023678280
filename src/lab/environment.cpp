#include "lab/environment.h"

#include <fmt/format.h>

#include <string_view>

extern char** environ;

namespace margay::lab {

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!extra.contains(std::string(text.substr(0, text.find('='))))) out.emplace_back(text);
  }
  for (const auto& [key, value] : extra) out.push_back(fmt::format("{}={}", key, value));
  return out;
}

}  // namespace margay::lab
