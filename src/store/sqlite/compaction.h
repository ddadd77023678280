#pragma once

// When history may go: a pure schedule, told the time, the store's head and how much was written
// now and then.

#include <chrono>
#include <cstddef>
#include <deque>

#include "store/store.h"

namespace margay::store::sqlite {

struct CompactionOptions {
  // History goes once it is older than this ...
  std::chrono::milliseconds max_age{std::chrono::minutes(5)};
  // ... or earlier, so that no more revisions than this are kept.
  Revision max_revisions = 200'000;
  // ... or than this, in bytes of values.
  size_t max_bytes = 256 << 20;
  // How often it is looked at; the precision of `max_age`.
  std::chrono::milliseconds interval{std::chrono::seconds(15)};
};

// Ages are measured on the steady clock from when this program saw a revision, so that a jump of
// the wall clock drops nothing. After a restart the older history counts as new.
class CompactionSchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit CompactionSchedule(const CompactionOptions& options) : options_(options) {}

  // Notes that the store is at `head` now, with `written` bytes since this program began; returns
  // the revision to compact to, 0 for none.
  Revision observe(Time now, Revision head, size_t written = 0);
  // Whether so much was written since it was last told that it should be told again.
  bool is_due(size_t written) const;

 private:
  struct Sample {
    Time time;
    Revision head;
    size_t written;
  };
  CompactionOptions options_;
  std::deque<Sample> samples_;  // oldest first; at most one of them is past a limit
};

}  // namespace margay::store::sqlite
