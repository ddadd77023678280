#pragma once

#include <map>
#include <string>
#include <vector>

namespace margay::lab {

// This process's environment with these variables set, as "NAME=value" strings.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra);

}  // namespace margay::lab
