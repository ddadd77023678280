#pragma once

// Felix's settings as text, as they are written where they are not objects: in the environment and
// in a file. What they mean: node/parameters.h.

#include <map>
#include <string>

#include "base/result.h"

namespace margay::node {

// Parameter name (any letter case) -> value as text.
using Settings = std::map<std::string, std::string>;

// FELIX_* of `environment` ("K=V" strings, ended by null), as settings.
Settings settings_from_environment(const char* const* environment);

// Felix's configuration file: INI lines "Name = value"; sections and comments (#) are skipped.
base::Result<Settings> settings_from_file(const std::string& path);

}  // namespace margay::node
