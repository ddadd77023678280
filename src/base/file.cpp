#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace margay::base {
namespace {

Result<> sync_directory(const std::filesystem::path& directory) {
  const char* const name = directory.empty() ? "." : directory.c_str();
  const UniqueFd opened(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.get()) != 0) return fail_errno("sync " + directory.string(), errno);
  return {};
}

}  // namespace

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
  const auto directory = path.parent_path();
  MARGAY_CHECK(make_directories(directory));
  const std::string fresh = path.string() + ".new";
  // That of a process that was killed may have another mode, or be a link: start from none.
  MARGAY_CHECK(remove_file(fresh));
  const UniqueFd file(
      open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file || fchmod(file.get(), mode) != 0) return fail_errno("write " + fresh, errno);
  while (!text.empty()) {
    const ssize_t put = write(file.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write " + fresh, errno);
    text.remove_prefix(static_cast<size_t>(put));
  }
  if (fsync(file.get()) != 0) return fail_errno("write " + fresh, errno);
  if (rename(fresh.c_str(), path.c_str()) != 0) return fail_errno("write " + path.string(), errno);
  return sync_directory(directory);
}

Result<> remove_file(const std::filesystem::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno("remove " + path.string(), errno);
  return {};
}

Result<> make_directories(const std::filesystem::path& path) {
  std::error_code error;
  if (!path.empty()) std::filesystem::create_directories(path, error);
  if (error) return fail_errno("make " + path.string(), error.value());
  return {};
}

}  // namespace margay::base
