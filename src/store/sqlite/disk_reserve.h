#pragma once

// A file that holds some of the disk for when it is full: deleting takes room too, for the log that
// makes it durable.

#include <cstddef>
#include <filesystem>

namespace margay::store::sqlite {

class DiskReserve {
 public:
  // One that an earlier process left there is taken over.
  DiskReserve(std::filesystem::path file, size_t bytes) : file_(std::move(file)), bytes_(bytes) {}

  // False: the disk has no room for it.
  bool hold();
  // Gives the room to whoever writes next.
  void release();
  // As far as this program knows.
  bool is_held() const { return is_held_; }

 private:
  const std::filesystem::path file_;
  const size_t bytes_;
  bool is_held_ = false;
};

}  // namespace margay::store::sqlite
