#pragma once

// Connections for reading. In WAL mode readers neither wait for the writer nor make it wait, so
// each reading thread takes a connection of its own for the time of one call.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "store/sqlite/database.h"

namespace margay::store::sqlite {

class ReaderPool {
 public:
  using Open = std::function<base::Result<Database>()>;

  // Opens connections as they are needed, at most `size`; then callers wait for one.
  ReaderPool(Open open, size_t size) : open_(std::move(open)), size_(size) {}

  // Gives the connection back when destroyed.
  class Lease {
   public:
    Lease(ReaderPool& pool, Database database) : pool_(&pool), database_(std::move(database)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), database_(std::move(other.database_)) {}
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(std::move(database_));
    }
    Database& operator*() { return database_; }

   private:
    ReaderPool* pool_;
    Database database_;
  };

  // Any thread.
  base::Result<Lease> take();
  // Runs `work` while nobody reads: those who do are waited for, and who comes waits.
  void without_readers(const std::function<void()>& work);

 private:
  void give_back(Database database);

  Open open_;
  const size_t size_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Database> idle_;
  size_t opened_ = 0;
  bool is_paused_ = false;
};

}  // namespace margay::store::sqlite
