#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace margay::base {
namespace {

struct flock whole_file() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// A lock on a file that was removed meanwhile excludes nobody.
bool is_file_at(const UniqueFd& file, const std::filesystem::path& path) {
  struct stat opened{}, named{};
  return fstat(file.get(), &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
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
  if (!is_file_at(file, path)) {
    return fail(ErrorCode::conflict, path.string() + " was removed by another process");
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

}  // namespace margay::base
