#include "store/sqlite/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <system_error>

#include "base/unique_fd.h"

namespace margay::store::sqlite {

bool DiskReserve::hold() {
  struct stat status{};
  is_held_ =
      ::stat(file_.c_str(), &status) == 0 && static_cast<size_t>(status.st_blocks) * 512 >= bytes_;
  if (is_held_) return true;
  release();
  std::error_code unknown;  // then it is tried
  if (std::filesystem::space(file_.parent_path(), unknown).available < bytes_) return false;
  const base::UniqueFd file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  // Where the file system cannot reserve, the library writes the blocks.
  is_held_ = file && ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes_)) == 0;
  if (!is_held_) release();
  return is_held_;
}

void DiskReserve::release() {
  is_held_ = false;
  std::error_code none_is_there;
  std::filesystem::remove(file_, none_is_there);
}

}  // namespace margay::store::sqlite
