#include "controllers/periodic_task.h"

namespace margay::controllers {

PeriodicTask::PeriodicTask(std::function<std::chrono::milliseconds()> task)
    : task_(std::move(task)) {}

void PeriodicTask::start() {
  thread_ = std::thread([this] { run(); });
}

void PeriodicTask::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PeriodicTask::request() {
  {
    const std::scoped_lock lock(mutex_);
    requested_ = true;
  }
  changed_.notify_all();
}

bool PeriodicTask::wait(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return stopped_ || requested_; });
  requested_ = false;
  return !stopped_;
}

void PeriodicTask::run() {
  while (wait(task_())) continue;
}

}  // namespace margay::controllers
