#include "apiserver/unread_answers.h"

namespace margay::apiserver {

UnreadAnswers::Wait UnreadAnswers::wait(Unread memory, std::function<void()> cut) {
  const std::lock_guard lock(mutex_);
  count(memory);
  waiting_.push_back({std::move(memory), std::move(cut)});
  const auto place = std::prev(waiting_.end());
  // The one that comes last may be of any size.
  while (bytes_ > most_ && waiting_.begin() != place) {
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
  waiting_.erase(place);
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
