#pragma once

// Something that is done again and again on a thread of its own: at its start, then whenever the
// pause that it asked for is over or somebody asks for it.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace margay::controllers {

class PeriodicTask {
 public:
  // `task` may block; it returns how long to wait before the next time.
  explicit PeriodicTask(std::function<std::chrono::milliseconds()> task);
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;
  ~PeriodicTask() { stop(); }

  void start();
  // Waits for a call under way.
  void stop();
  // Any thread, at any time. Requests that wait are one.
  void request();

 private:
  bool wait(std::chrono::milliseconds pause);
  void run();

  const std::function<std::chrono::milliseconds()> task_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace margay::controllers
