#pragma once

// Questions to a worker about what only it may touch: answered in its own thread between two
// rounds. Costs a worker one load a round while nobody asks.

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace margay::vector {

struct Worker;

class Jobs {
 public:
  using Job = std::function<void(Worker&)>;

  Jobs() = default;
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  // Those that have not run are forgotten.
  ~Jobs() { take(); }

  // Any thread. A job must be short: packets wait meanwhile.
  void post(Job job) {
    auto entry = std::make_unique<Entry>(std::move(job), last_.load(std::memory_order_relaxed));
    Entry* posted = entry.release();  // the list's, which take() empties
    while (!last_.compare_exchange_weak(posted->earlier, posted, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
  }

  // The worker. Runs what has been posted, in that order; what a job posts comes the next time.
  void run(Worker& worker) {
    if (last_.load(std::memory_order_relaxed) == nullptr) [[likely]]
      return;
    for (EntryPtr entry = take(); entry; entry = std::move(entry->later)) entry->job(worker);
  }

 private:
  struct Entry;
  using EntryPtr = std::unique_ptr<Entry>;
  struct Entry {
    Entry(Job what, Entry* before) : job(std::move(what)), earlier(before) {}
    Job job;
    Entry* earlier;  // while it is posted
    EntryPtr later;  // once it is taken
  };

  // The first one posted, which owns those behind it.
  EntryPtr take() {
    EntryPtr first;
    Entry* entry = last_.exchange(nullptr, std::memory_order_acquire);
    while (entry) {
      Entry* earlier = entry->earlier;
      entry->later = std::move(first);
      first.reset(entry);
      entry = earlier;
    }
    return first;
  }

  std::atomic<Entry*> last_{nullptr};
};

}  // namespace margay::vector
