#include "node/settings.h"

#include <fmt/format.h>

#include <fstream>
#include <string_view>

#include "base/text.h"
#include "node/parameter_values.h"

namespace margay::node {

using base::ErrorCode;
using base::fail;

Settings settings_from_environment(const char* const* environment) {
  constexpr std::string_view k_prefix = "felix_";
  Settings settings;
  for (; *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const size_t equals = line.find('=');
    if (equals != line.npos && lower_case(line.substr(0, k_prefix.size())) == k_prefix) {
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

}  // namespace margay::node
