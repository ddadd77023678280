#include "lab/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;
using base::UniqueFd;

struct flock whole_file() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno("lock " + path.string(), errno);
  struct flock lock = whole_file();
  if (fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno("lock " + path.string(), errno);
    return fail(ErrorCode::conflict, path.string() + " is held by another process");
  }
  return FileLock(std::move(file));
}

bool FileLock::is_held(const std::filesystem::path& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return false;
  struct flock lock = whole_file();
  return fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<> FileLock::write(std::string_view text) const {
  if (ftruncate(file_.get(), 0) != 0 ||
      pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return fail_errno("write lock file", errno);
  }
  return {};
}

}  // namespace margay::lab
