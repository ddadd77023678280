#pragma once

// A bound on the bytes that something may hold all together, taken and given back in leases.
// Safe from any thread.

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

namespace margay::apiserver {

class ByteBudget {
 public:
  explicit ByteBudget(size_t most) : most_(most) {}

  // Gives its bytes back when destroyed.
  class Lease {
   public:
    Lease(ByteBudget& budget, size_t bytes) : budget_(&budget), bytes_(bytes) {}
    Lease(Lease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (budget_ != nullptr) budget_->give_back(bytes_);
    }

   private:
    ByteBudget* budget_;
    size_t bytes_;
  };

  // Nothing: too much is held. One lease of any size is always to be had.
  std::optional<Lease> take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes != 0 && held_ != 0 && held_ + bytes > most_) return std::nullopt;
    held_ += bytes;
    return Lease(*this, bytes);
  }

 private:
  void give_back(size_t bytes) {
    const std::lock_guard lock(mutex_);
    held_ -= bytes;
  }

  const size_t most_;
  std::mutex mutex_;
  size_t held_ = 0;
};

}  // namespace margay::apiserver
