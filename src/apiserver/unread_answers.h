#pragma once

// What answers keep in memory while their clients do not read them, bounded for all connections
// together. Where the bound is reached the client that has been stuck for longest is cut: whoever
// reads, however slowly, is stuck for a moment at a time. One that keeps next to nothing is never
// cut: it would make no room. Safe from any thread.

#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace margay::apiserver {

// Memory of an answer. What several answers share is counted once, as long as one of them waits.
struct Unread {
  size_t own = 0;  // bytes
  std::vector<std::pair<const void*, size_t>> shared = {};
};

class UnreadAnswers {
 public:
  explicit UnreadAnswers(size_t most) : most_(most) {}
  UnreadAnswers(const UnreadAnswers&) = delete;
  UnreadAnswers& operator=(const UnreadAnswers&) = delete;

 private:
  struct Waiting {
    Unread memory;
    std::function<void()> cut;  // empty: has been called
    bool is_small = false;
  };
  using Place = std::list<Waiting>::iterator;

 public:
  // Ends the wait when destroyed.
  class Wait {
   public:
    Wait(UnreadAnswers& answers, Place place) : answers_(answers), place_(place) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() { answers_.end(place_); }

   private:
    UnreadAnswers& answers_;
    const Place place_;
  };
  // From now on a client is waited for, with this in memory. `cut` gives the memory back soon; it
  // is called at most once, from any thread, and must neither block nor end the wait itself.
  [[nodiscard]] Wait wait(Unread memory, std::function<void()> cut);

  size_t bytes() const;

 private:
  void end(Place place);
  void count(const Unread& memory);
  void uncount(const Unread& memory);

  struct Shared {
    size_t bytes = 0;
    size_t holders = 0;
  };

  const size_t most_;
  mutable std::mutex mutex_;
  std::list<Waiting> waiting_;  // who has waited longest first
  std::list<Waiting> small_;    // the same, of those that are never cut
  std::list<Waiting> cut_;      // not counted any more
  std::unordered_map<const void*, Shared> shared_;
  size_t bytes_ = 0;
};

}  // namespace margay::apiserver
