#include "node/retried_task.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/backoff.h"

namespace margay::node {

using namespace std::chrono_literals;

class RetriedTask::Impl {
 public:
  Impl(std::string name, std::function<base::Result<>()> task)
      : name_(std::move(name)), task_(std::move(task)), thread_([this] { run(); }) {}

  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void request() {
    {
      const std::scoped_lock lock(mutex_);
      requested_ = true;
    }
    changed_.notify_all();
  }

 private:
  // Until the next call is due: at once when asked for, else when the back-off is over.
  bool wait(std::optional<std::chrono::milliseconds> pause) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return stopped_ || requested_; };
    pause ? static_cast<void>(changed_.wait_for(lock, *pause, ready)) : changed_.wait(lock, ready);
    requested_ = false;
    return !stopped_;
  }

  void run() {
    base::Backoff backoff({.initial = 500ms, .max = 30s});
    std::optional<std::chrono::milliseconds> pause;
    while (wait(pause)) {
      const auto done = task_();
      if (done) {
        backoff.reset();
        pause.reset();
        continue;
      }
      spdlog::warn("{}: {}; trying again", name_, done.error().message);
      pause = std::chrono::duration_cast<std::chrono::milliseconds>(backoff.next());
    }
  }

  const std::string name_;
  const std::function<base::Result<>()> task_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  bool stopped_ = false;
  std::thread thread_;  // last: runs with all of the above
};

RetriedTask::RetriedTask(std::string name, std::function<base::Result<>()> task)
    : impl_(std::make_unique<Impl>(std::move(name), std::move(task))) {}
RetriedTask::~RetriedTask() = default;

void RetriedTask::request() { impl_->request(); }

}  // namespace margay::node
