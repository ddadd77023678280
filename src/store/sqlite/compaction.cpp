#include "store/sqlite/compaction.h"

#include <algorithm>

namespace margay::store::sqlite {

Revision CompactionSchedule::observe(Time now, Revision head) {
  if (samples_.empty() || samples_.back().head != head) samples_.push_back({now, head});

  Revision target = 0;
  while (!samples_.empty() && now - samples_.front().time >= options_.max_age) {
    target = samples_.front().head;
    samples_.pop_front();
  }
  return std::max(target, head - options_.max_revisions);
}

}  // namespace margay::store::sqlite
