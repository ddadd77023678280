#include "apiserver/parsing_room.h"

#include <algorithm>

#include "api/codec.h"

namespace margay::apiserver {

namespace {

constexpr size_t k_value = 60;  // the most that a value or key takes beside its text

}  // namespace

// Every value or key but the first follows one of these. Those within texts count too.
size_t parsed_bytes(std::string_view json) {
  const auto values = std::ranges::count_if(
      json, [](char c) { return c == ',' || c == ':' || c == '[' || c == '{'; });
  return json.size() + k_value * static_cast<size_t>(values + 1);
}

size_t copied_bytes(size_t parsed_bytes, size_t copies) {
  constexpr size_t k_most = api::k_max_object_bytes + k_value * api::k_max_object_values;
  for (; copies > 0 && parsed_bytes < k_most; --copies)
    parsed_bytes = std::min(2 * parsed_bytes, k_most);
  return parsed_bytes;
}

Answer<ParsingRoom::Place> ParsingRoom::enter(size_t bytes) {
  if (is_small(bytes)) return Place();
  std::unique_lock lock(mutex_);
  if (arrived_ - served_ >= limits_.waiting) return refuse(too_many_requests(1));
  return wait_in_turn(std::move(lock), bytes);
}

ParsingRoom::Place ParsingRoom::wait(size_t bytes) {
  if (is_small(bytes)) return {};
  return wait_in_turn(std::unique_lock(mutex_), bytes);
}

ParsingRoom::Place ParsingRoom::wait_in_turn(std::unique_lock<std::mutex> lock, size_t bytes) {
  const auto turn = arrived_++;
  changed_.wait(lock,
                [&] { return turn == served_ && (held_ == 0 || held_ + bytes <= limits_.bytes); });
  ++served_;
  held_ += bytes;
  lock.unlock();
  changed_.notify_all();
  return {*this, bytes};
}

size_t ParsingRoom::waiting() const {
  const std::lock_guard lock(mutex_);
  return arrived_ - served_;
}

void ParsingRoom::leave(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    held_ -= bytes;
  }
  changed_.notify_all();
}

}  // namespace margay::apiserver
