#include "cni/node_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>

#include <cerrno>
#include <future>
#include <system_error>
#include <thread>

namespace margay::cni {
namespace {

using File = std::shared_ptr<const base::UniqueFd>;

// The errno of taking the lock; 0: it is taken.
int lock(const base::UniqueFd& file, int operation) {
  while (::flock(file.get(), operation) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

// In a thread of its own, since flock(2) knows no deadline and asking again and again would lose
// the place in the queue. One that waits in vain ends with the process, or lets a lock that comes
// too late go at once.
std::future<int> lock_in_turn(File file) {
  std::promise<int> failed;
  auto answer = failed.get_future();
  std::thread([file = std::move(file), failed = std::move(failed)]() mutable {
    const int error = lock(*file, LOCK_EX);
    file.reset();
    failed.set_value(error);
  }).detach();
  return answer;
}

}  // namespace

CniResult<NodeLock> NodeLock::take(const std::filesystem::path& path,
                                   std::chrono::milliseconds patience) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const auto file = std::make_shared<const base::UniqueFd>(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  int error = *file ? lock(*file, LOCK_EX | LOCK_NB) : errno;
  if (error == EWOULDBLOCK) {
    auto answer = lock_in_turn(file);
    if (answer.wait_for(patience) != std::future_status::ready)
      return fail(Code::try_again_later,
                  fmt::format("{}: held by another plugin for more than {} s", path.string(),
                              std::chrono::duration<double>(patience).count()));
    error = answer.get();
  }
  if (error != 0) {
    spdlog::info("{}: no lock, and so without: {}", path.string(),
                 std::generic_category().message(error));
  }
  return NodeLock(file);
}

}  // namespace margay::cni
