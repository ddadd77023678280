#pragma once

// A file that a living process holds locked (fcntl(2), open file description locks): the kernel
// lets go of it however the process ends, so that whether one lives is never a guess.

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::base {

class FileLock {
 public:
  // Makes the file if need be. `conflict` when another process has it.
  static Result<FileLock> acquire(const std::filesystem::path& path);
  // Asks without ever taking it. A missing file is held by nobody.
  static bool is_held(const std::filesystem::path& path);

  // Replaces the text of the file, which others may read any time.
  Result<> write(std::string_view text) const;

 private:
  explicit FileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace margay::base
