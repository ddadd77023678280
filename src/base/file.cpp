#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace margay::base {

Result<std::string> read_file(const std::filesystem::path& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("read " + path.string(), errno);
  std::string text;
  std::array<char, 16384> chunk;
  while (true) {
    const ssize_t got = read(file.get(), chunk.data(), chunk.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path.string(), errno);
    text.append(chunk.data(), static_cast<size_t>(got));
  }
}

Result<> write_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  MARGAY_CHECK(make_directories(path.parent_path()));
  const std::string fresh = path.string() + ".new";
  const UniqueFd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file || fchmod(file.get(), mode) != 0) return fail_errno("write " + fresh, errno);
  while (!text.empty()) {
    const ssize_t put = write(file.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write " + fresh, errno);
    text.remove_prefix(static_cast<size_t>(put));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return fail_errno("write " + path.string(), errno);
  return {};
}

Result<> remove_file(const std::filesystem::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno("remove " + path.string(), errno);
  return {};
}

Result<> make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail_errno("make " + path.string(), error.value());
  return {};
}

}  // namespace margay::base
