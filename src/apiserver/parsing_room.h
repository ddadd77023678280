#pragma once

// How much of what the store holds is parsed at a time. An object takes up to twenty megabytes in
// memory, and a change of it several times that, however small the request that asked for it: large
// ones are worked on one or two at a time, and the others wait their turn. Safe from any thread.
//
// Whoever holds a place waits for nothing but the store, and never for a second place: so nobody
// waits for ever.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>

#include "apiserver/status.h"

namespace margay::apiserver {

// About what the value of a text takes in memory, and no less.
size_t parsed_bytes(std::string_view json);
// What it takes after so many copies of parts of it within itself: each may double it, up to what
// an object may be.
size_t copied_bytes(size_t parsed_bytes, size_t copies);

class ParsingRoom {
 public:
  struct Limits {
    size_t bytes = 24 << 20;         // of memory, all together; one object may be of any size
    size_t small_bytes = 256 << 10;  // what is no larger is not counted
    size_t waiting = 2;              // requests, at least 1; beyond: 429. Each holds a handler.
  };
  ParsingRoom() : ParsingRoom(Limits{}) {}
  explicit ParsingRoom(const Limits& limits) : limits_(limits) {}
  ParsingRoom(const ParsingRoom&) = delete;
  ParsingRoom& operator=(const ParsingRoom&) = delete;

  // Given back when destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
    Place& operator=(Place&&) = delete;
    ~Place() { leave(); }
    void leave() {
      if (auto* room = std::exchange(room_, nullptr)) room->leave(bytes_);
    }

   private:
    friend class ParsingRoom;
    Place(ParsingRoom& room, size_t bytes) : room_(&room), bytes_(bytes) {}
    ParsingRoom* room_ = nullptr;
    size_t bytes_ = 0;
  };

  // For an object of that text. A refusal (429) when as many as may do so are waiting already.
  Answer<Place> enter(std::string_view json) { return enter(parsed_bytes(json)); }
  Answer<Place> enter(size_t parsed_bytes);
  // Waits for its turn, however long: for what has begun and must be finished.
  Place wait(std::string_view json) { return wait(parsed_bytes(json)); }
  Place wait(size_t parsed_bytes);
  // Whether that waits for nobody.
  bool is_small(size_t parsed_bytes) const { return parsed_bytes <= limits_.small_bytes; }
  size_t waiting() const;

 private:
  Place wait_in_turn(std::unique_lock<std::mutex> lock, size_t bytes);
  void leave(size_t bytes);

  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t held_ = 0;
  uint64_t arrived_ = 0;  // who waits goes in the order of arrival
  uint64_t served_ = 0;
};

}  // namespace margay::apiserver
