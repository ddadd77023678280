#pragma once

// For tests: a watcher that keeps what it was told, and waits for it with a deadline.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace margay::store::testing {

class RecordingWatcher final : public Watcher {
 public:
  static constexpr std::chrono::seconds k_deadline{20};

  void on_events(std::span<const Event> events) override {
    change([&] { events_.insert(events_.end(), events.begin(), events.end()); });
  }
  void on_progress(Revision revision) override {
    change([&] { progress_ = revision; });
  }
  void on_end(const base::Error& error) override {
    change([&] { end_ = error; });
  }

  // False: the deadline passed, or the watch ended first.
  bool wait_for_events(size_t count) {
    return wait([&] { return events_.size() >= count || end_; }) && events().size() >= count;
  }
  bool wait_for_revision(Revision revision) {
    return wait([&] { return !events_.empty() && events_.back().entry.revision >= revision; });
  }
  bool wait_for_progress(Revision revision) {
    return wait([&] { return progress_ >= revision; });
  }
  std::optional<base::Error> wait_for_end() {
    wait([&] { return end_.has_value(); });
    const std::lock_guard lock(mutex_);
    return end_;
  }
  std::vector<Event> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  size_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  void change(const auto& function) {
    {
      const std::lock_guard lock(mutex_);
      ++calls_;
      function();
    }
    changed_.notify_all();
  }
  bool wait(const auto& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, k_deadline, condition);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  Revision progress_ = 0;
  std::optional<base::Error> end_;
  size_t calls_ = 0;
};

}  // namespace margay::store::testing
