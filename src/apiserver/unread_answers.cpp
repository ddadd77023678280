#include "apiserver/unread_answers.h"

#include <algorithm>

namespace margay::apiserver {

UnreadAnswers::Wait UnreadAnswers::wait(Unread memory, std::function<void()> cut) {
  constexpr size_t k_small = 4 << 10;
  const std::lock_guard lock(mutex_);
  count(memory);
  const bool is_small = memory.shared.empty() && memory.own <= std::min(k_small, most_ / 8);
  auto& line = is_small ? small_ : waiting_;
  line.push_back({std::move(memory), std::move(cut), is_small});
  const auto place = std::prev(line.end());
  // The one that comes last may be of any size.
  while (!is_small && bytes_ > most_ && waiting_.begin() != place) {
    const auto longest = waiting_.begin();
    uncount(longest->memory);
    cut_.splice(cut_.end(), waiting_, longest);
    std::exchange(longest->cut, nullptr)();
  }
  return {*this, place};
}

void UnreadAnswers::end(Place place) {
  const std::lock_guard lock(mutex_);
  if (!place->cut) {
    cut_.erase(place);
    return;
  }
  uncount(place->memory);
  (place->is_small ? small_ : waiting_).erase(place);
}

size_t UnreadAnswers::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void UnreadAnswers::count(const Unread& memory) {
  bytes_ += memory.own;
  for (const auto& [what, size] : memory.shared) {
    Shared& shared = shared_[what];
    if (shared.holders++ > 0) continue;
    shared.bytes = size;
    bytes_ += size;
  }
}

void UnreadAnswers::uncount(const Unread& memory) {
  bytes_ -= memory.own;
  for (const auto& [what, size] : memory.shared) {
    const auto found = shared_.find(what);
    if (--found->second.holders > 0) continue;
    bytes_ -= found->second.bytes;
    shared_.erase(found);
  }
}

}  // namespace margay::apiserver
