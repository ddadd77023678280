#pragma once

// Small files that must never be seen half written.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::lab {

// `not_found` when it does not exist.
base::Result<std::string> read_file(const std::filesystem::path& path);
// By a new file renamed into place; makes the directories above it.
base::Result<> write_file(const std::filesystem::path& path, std::string_view text);
base::Result<> make_directories(const std::filesystem::path& path);

}  // namespace margay::lab
