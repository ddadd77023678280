#include "store/sqlite/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace margay::store::sqlite {
namespace {

std::string read_holder(int fd) {
  std::array<char, 32> text{};
  const auto size = ::pread(fd, text.data(), text.size() - 1, 0);
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : "unknown";
}

}  // namespace

base::Result<base::UniqueFd> lock_file(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno("store lock " + path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::fail_errno("store lock " + path, errno);
    return base::fail(
        base::ErrorCode::unavailable,
        fmt::format("{} is held: the store is open in process {}", path, read_holder(fd.get())));
  }
  // For the message above only; the lock is what counts.
  const auto holder = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), holder.data(), holder.size(), 0) < 0)
    return base::fail_errno("store lock " + path, errno);
  return fd;
}

}  // namespace margay::store::sqlite
