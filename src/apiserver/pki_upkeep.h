#pragma once

// Keeps certificates fresh while the server runs: looks at them now and then, on a thread of its
// own.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace margay::apiserver {

class PkiUpkeep {
 public:
  // Calls `look` every `interval`, never at once, until destroyed.
  PkiUpkeep(std::chrono::milliseconds interval, std::function<void()> look);
  ~PkiUpkeep();

 private:
  void run();

  const std::chrono::milliseconds interval_;
  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace margay::apiserver
