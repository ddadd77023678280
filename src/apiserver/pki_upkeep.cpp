#include "apiserver/pki_upkeep.h"

namespace margay::apiserver {

PkiUpkeep::PkiUpkeep(std::chrono::milliseconds interval, std::function<void()> look)
    : interval_(interval), look_(std::move(look)), thread_([this] { run(); }) {}

PkiUpkeep::~PkiUpkeep() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void PkiUpkeep::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, interval_, [this] { return stopping_; })) {
    lock.unlock();
    look_();
    lock.lock();
  }
}

}  // namespace margay::apiserver
