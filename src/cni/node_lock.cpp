#include "cni/node_lock.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace margay::cni {

NodeLock::NodeLock(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  file_ = base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  int failed = file_ ? ::flock(file_.get(), LOCK_EX) : -1;
  while (file_ && failed != 0 && errno == EINTR) failed = ::flock(file_.get(), LOCK_EX);
  if (failed != 0) {
    spdlog::info("{}: no lock, and so without: {}", path.string(),
                 std::generic_category().message(errno));
  }
}

}  // namespace margay::cni
