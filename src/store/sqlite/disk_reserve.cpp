#include "store/sqlite/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <system_error>

#include "base/unique_fd.h"

namespace margay::store::sqlite {

bool DiskReserve::hold() {
  struct stat status{};
  const bool is_held =
      ::stat(file_.c_str(), &status) == 0 && static_cast<size_t>(status.st_blocks) * 512 >= bytes_;
  if (is_held) return true;
  const base::UniqueFd file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  // Where the file system cannot reserve, the library writes the blocks.
  if (file && ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes_)) == 0) return true;
  release();
  return false;
}

void DiskReserve::release() {
  std::error_code none_is_there;
  std::filesystem::remove(file_, none_is_there);
}

}  // namespace margay::store::sqlite
