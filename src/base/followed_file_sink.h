#pragma once

// A log file that others rotate: lines are appended to the file that has the name at the time. One
// that was moved away or removed is made anew. Any thread.

#include <spdlog/sinks/base_sink.h>

#include <filesystem>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::base {

class FollowedFileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // Makes the folder and the file if need be.
  static Result<std::shared_ptr<FollowedFileSink>> open(std::filesystem::path path);

 private:
  explicit FollowedFileSink(std::filesystem::path path) : path_(std::move(path)) {}

  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}
  Result<> reopen();
  bool has_the_name() const;

  const std::filesystem::path path_;
  UniqueFd file_;
};

}  // namespace margay::base
