#include "store/sqlite/reader_pool.h"

namespace margay::store::sqlite {

base::Result<ReaderPool::Lease> ReaderPool::take() {
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !is_paused_ && (!idle_.empty() || opened_ < size_); });
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    ++opened_;
  }
  auto database = open_();
  if (!database) {
    const std::lock_guard lock(mutex_);
    --opened_;
    returned_.notify_all();
    return base::fail(std::move(database).error());
  }
  return Lease(*this, *std::move(database));
}

void ReaderPool::give_back(Database database) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(database));
  }
  returned_.notify_all();
}

void ReaderPool::without_readers(const std::function<void()>& work) {
  {
    std::unique_lock lock(mutex_);
    is_paused_ = true;
    returned_.wait(lock, [this] { return idle_.size() == opened_; });
  }
  work();
  {
    const std::lock_guard lock(mutex_);
    is_paused_ = false;
  }
  returned_.notify_all();
}

}  // namespace margay::store::sqlite
