#include "base/followed_file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace margay::base {

Result<std::shared_ptr<FollowedFileSink>> FollowedFileSink::open(std::filesystem::path path) {
  std::shared_ptr<FollowedFileSink> sink(new FollowedFileSink(std::move(path)));
  MARGAY_CHECK(sink->reopen());
  return sink;
}

Result<> FollowedFileSink::reopen() {
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) return fail_errno("log file " + path_.string(), errno);
  file_ = std::move(file);
  return {};
}

bool FollowedFileSink::has_the_name() const {
  struct stat named{}, opened{};
  return stat(path_.c_str(), &named) == 0 && fstat(file_.get(), &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

// Where a new one cannot be made the lines go on to the old one. What cannot be written there is
// still on the other outputs.
void FollowedFileSink::sink_it_(const spdlog::details::log_msg& message) {
  if (!has_the_name()) static_cast<void>(reopen());
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  static_cast<void>(write(file_.get(), line.data(), line.size()));
}

}  // namespace margay::base
