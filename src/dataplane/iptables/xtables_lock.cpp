#include "dataplane/iptables/xtables_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace margay::dataplane::iptables {

using base::ErrorCode;
using base::Result;
using base::UniqueFd;

std::vector<std::string> wait_arguments(const IptablesLock& lock) {
  using std::chrono::ceil;
  if (!lock.is_taken_by_program || lock.timeout.count() <= 0) return {};
  const auto microseconds = std::chrono::microseconds(lock.probe_interval).count();
  return {"--wait", std::to_string(ceil<std::chrono::seconds>(lock.timeout).count()),
          "--wait-interval", std::to_string(std::max<int64_t>(microseconds, 1))};
}

std::vector<std::string> with_lock_file(const IptablesLock& lock) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  std::erase_if(environment,
                [](const std::string& entry) { return entry.starts_with("XTABLES_LOCKFILE="); });
  environment.push_back("XTABLES_LOCKFILE=" +
                        (lock.is_taken_by_program ? lock.file : std::string("/dev/null")));
  return environment;
}

Result<UniqueFd> take_if_ours(const IptablesLock& lock) {
  if (lock.is_taken_by_program || lock.timeout.count() <= 0) return UniqueFd();
  UniqueFd file(open(lock.file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno(lock.file, errno);
  const auto deadline = std::chrono::steady_clock::now() + lock.timeout;
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return base::fail_errno(lock.file, errno);
    if (std::chrono::steady_clock::now() >= deadline)
      return base::fail(ErrorCode::timeout, lock.file + ": another program holds this lock");
    std::this_thread::sleep_for(std::max(lock.probe_interval, std::chrono::milliseconds(1)));
  }
  return file;
}

}  // namespace margay::dataplane::iptables
