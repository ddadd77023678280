#pragma once

// What was read of stored objects that are large, by their revision: a small request must not cost
// what somebody else's large object costs to parse, again and again. Small ones are read each time.
// Safe from any thread.

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "apiserver/parsing_room.h"
#include "store/store.h"

namespace margay::apiserver {

template <typename Value>
class ReadOnce {
 public:
  // What `read` says of the entry. Waits for room to parse it in where it is not known.
  Value get(const store::Entry& entry, ParsingRoom& room,
            const std::function<Value(const store::Entry&)>& read) {
    if (room.is_small(parsed_bytes(entry.value))) return read(entry);
    if (auto known = find(entry)) return *std::move(known);
    const auto place = room.wait(entry.value);
    if (auto known = find(entry)) return *std::move(known);  // by one who had the room before
    Value value = read(entry);
    const std::lock_guard lock(mutex_);
    if (known_.size() >= k_most) known_.clear();
    known_.insert_or_assign(entry.key, std::pair(entry.revision, value));
    return value;
  }

 private:
  static constexpr size_t k_most = 4'096;

  std::optional<Value> find(const store::Entry& entry) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(entry.key);
    if (known == known_.end() || known->second.first != entry.revision) return std::nullopt;
    return known->second.second;
  }

  std::mutex mutex_;
  std::map<store::Key, std::pair<store::Revision, Value>> known_;
};

}  // namespace margay::apiserver
