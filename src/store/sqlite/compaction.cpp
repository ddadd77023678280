#include "store/sqlite/compaction.h"

#include <algorithm>

namespace margay::store::sqlite {

Revision CompactionSchedule::observe(Time now, Revision head, size_t written) {
  if (samples_.empty() || samples_.back().head != head) samples_.push_back({now, head, written});

  const auto is_past = [&](const Sample& sample) {
    return now - sample.time >= options_.max_age || written - sample.written >= options_.max_bytes;
  };
  Revision target = 0;
  while (!samples_.empty() && is_past(samples_.front())) {
    target = samples_.front().head;
    samples_.pop_front();
  }
  return std::max(target, head - options_.max_revisions);
}

bool CompactionSchedule::is_due(size_t written) const {
  constexpr size_t k_steps = 16;  // how finely the bytes are kept to
  const size_t told = samples_.empty() ? 0 : samples_.back().written;
  return written - told >= options_.max_bytes / k_steps;
}

}  // namespace margay::store::sqlite
