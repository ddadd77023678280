#pragma once

// Small files that must never be seen half written, not even after the power has failed. Errors
// name the path.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::base {

// `not_found` when it does not exist.
Result<std::string> read_file(const std::filesystem::path& path);
// By a new file, synced and renamed into place: readers see the old text or the new. Makes the
// directories above it.
Result<> write_file(const std::filesystem::path& path, std::string_view text, mode_t mode = 0600);
// Fine when there is none.
Result<> remove_file(const std::filesystem::path& path);
Result<> make_directories(const std::filesystem::path& path);

}  // namespace margay::base
