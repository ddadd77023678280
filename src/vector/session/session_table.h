#pragma once

// One worker's flows: records in an arena that grows in place, found by either direction's tuple.
// One thread, and another for `populate`. Records keep their place for as long as they live.

#include <optional>
#include <utility>

#include "vector/session/flow_index.h"
#include "vector/session/flow_key.h"
#include "vector/session/session.h"

namespace margay::vector {

// A record and the direction in which it was found; 0: none.
struct SessionRef {
  uint32_t value = 0;
  explicit operator bool() const { return value != 0; }
  uint32_t index() const { return value >> 1; }
  FlowDirection direction() const { return static_cast<FlowDirection>(value & 1); }
};

template <typename Tuple>
class SessionTable {
 public:
  using Record = Session<Tuple>;

  SessionTable(uint32_t most, const FlowKey& key)
      : key_(key),
        most_(most),
        records_(size_t{most} + 1),
        backends_(size_t{most} + 1),
        index_(2 * uint64_t{most}) {}

  uint64_t hash(const Tuple& tuple, uint8_t protocol) const { return key_.hash(tuple, protocol); }

  // Lookup in three steps, so that a batch has each step's memory on its way before the next:
  // prefetch(hash); candidate(hash), which prefetches the record; found(...).
  void prefetch(uint64_t hash) const { index_.prefetch(hash); }
  SessionRef candidate(uint64_t hash) const {
    const SessionRef ref{index_.first_candidate(hash)};
    const char* line = reinterpret_cast<const char*>(&records_[ref.index()]);
    __builtin_prefetch(line, 1);
    if constexpr (sizeof(Record) > 64) __builtin_prefetch(line + 64, 1);
    return ref;
  }
  SessionRef found(SessionRef candidate, uint64_t hash, const Tuple& tuple,
                   uint8_t protocol) const {
    if (candidate && is(candidate, tuple, protocol)) [[likely]]
      return candidate;
    return find(hash, tuple, protocol);
  }
  SessionRef find(uint64_t hash, const Tuple& tuple, uint8_t protocol) const {
    return {index_.find(hash, [&](uint32_t ref) { return is({ref}, tuple, protocol); })};
  }

  Record& operator[](SessionRef ref) const { return records_[ref.index()]; }
  SessionRef ref(const Record& record, FlowDirection direction) const {
    const auto index = static_cast<uint32_t>(&record - records_.data());
    return {index << 1 | static_cast<uint32_t>(direction)};
  }

  // Choice::backend of a flow to a service. Beside the records: it is asked for only when the flow
  // is looked at again after a change.
  uint32_t& backend(const Record& record) const { return backends_[&record - records_.data()]; }

  // A new record with both tuples set and the rest zero, found from then on; null when the table is
  // full. Neither tuple may be there. A record that is `owned_elsewhere` has only tuple[1].
  Record* insert(const Tuple& forward, const Tuple& reverse, uint8_t protocol, uint16_t flags) {
    const uint32_t index = take();
    if (index == 0) return nullptr;
    Record& record = records_[index];
    record = {};
    record.tuple[0] = forward;
    record.tuple[1] = reverse;
    record.protocol = protocol;
    record.flags = static_cast<uint16_t>(flags | k_live);
    const Records records{*this};
    if (!(flags & k_owned_elsewhere)) index_.insert(hash(forward, protocol), index << 1, records);
    index_.insert(hash(reverse, protocol), index << 1 | 1, records);
    ++size_;
    return &record;
  }
  // What was found earlier stays readable, without k_live, until `recycle`: packets on their way
  // may still be about it.
  void erase(Record& record) {
    const auto index = static_cast<uint32_t>(&record - records_.data());
    if (!(record.flags & k_owned_elsewhere))
      index_.erase(hash(record.tuple[0], record.protocol), index << 1);
    index_.erase(hash(record.tuple[1], record.protocol), index << 1 | 1);
    record.flags &= static_cast<uint16_t>(~k_live);
    record.epoch = erased_;  // the list goes on
    if (erased_ == 0) first_erased_ = index;
    erased_ = index;
    --size_;
  }

  // What was erased may be taken again from now on.
  void recycle() {
    if (erased_ == 0) return;
    records_[first_erased_].epoch = free_;
    free_ = std::exchange(erased_, 0);
  }

  // An empty table that was large gives its memory back to the kernel. Between two rounds.
  void shrink() {
    if (size_ > 0 || top_ <= k_places_kept) return;
    records_.clear();
    backends_.clear();
    index_.clear();
    top_ = 1;
    free_ = erased_ = hand_ = 0;
  }

  // Looks at the next `count` places of the arena, round and round; returns how many records
  // `visit(record)` was called with. `visit` may erase the record.
  template <typename Visit>
  uint32_t sweep(uint32_t count, Visit visit) {
    uint32_t visited = 0;
    for (; count > 0 && top_ > 1; --count) {
      if (++hand_ >= top_) hand_ = 1;
      __builtin_prefetch(&records_[hand_ + 8 < top_ ? hand_ + 8 : 1]);
      Record& record = records_[hand_];
      if (!(record.flags & k_live)) continue;
      ++visited;
      visit(record);
    }
    return visited;
  }
  // Every record, for showing and for tests.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t index = 1; index < top_; ++index)
      if (records_[index].flags & k_live) visit(records_[index]);
  }

  // Those in places `first` to `end` - 1, of places().
  template <typename Visit>
  void for_each(uint32_t first, uint32_t end, Visit visit) const {
    for (uint32_t index = first + 1; index < top_ && index <= end; ++index)
      if (records_[index].flags & k_live) visit(records_[index]);
  }

  // As FlowIndex says.
  void tell_growth() {
    frontier_.reach(size_t{top_} * sizeof(Record));
    index_.tell_growth();
  }
  void populate() {
    frontier_.populate(records_.memory());
    index_.populate();
  }

  uint32_t size() const { return size_; }
  uint32_t most() const { return most_; }
  // Places of the arena ever used: what a full sweep looks at.
  uint32_t places() const { return top_ - 1; }
  uint64_t memory() const {
    return uint64_t{top_} * (sizeof(Record) + sizeof(uint32_t)) + index_.memory();
  }

 private:
  static constexpr uint32_t k_places_kept = 4096;

  bool is(SessionRef ref, const Tuple& tuple, uint8_t protocol) const {
    const Record& record = records_[ref.index()];
    return record.tuple[static_cast<size_t>(ref.direction())] == tuple &&
           record.protocol == protocol && (record.flags & k_live) != 0;
  }
  // As the index asks for them.
  struct Records {
    const SessionTable& table;
    void prefetch(uint32_t ref) const { __builtin_prefetch(&table.records_[ref >> 1]); }
    uint64_t hash(uint32_t ref) const {
      const Record& record = table.records_[ref >> 1];
      return table.hash(record.tuple[ref & 1], record.protocol);
    }
  };
  uint32_t take() {
    if (free_ != 0) {
      const uint32_t taken = free_;
      free_ = records_[taken].epoch;
      return taken;
    }
    return top_ <= most_ ? top_++ : 0;
  }

  const FlowKey key_;
  uint32_t most_;
  MappedArray<Record> records_;     // [0] is not used
  MappedArray<uint32_t> backends_;  // by the record's place
  FlowIndex index_;
  Frontier frontier_;
  uint32_t size_ = 0;
  uint32_t top_ = 1;
  uint32_t free_ = 0;                       // lists through Record::epoch
  uint32_t erased_ = 0, first_erased_ = 0;  // the latest and the first: the list's ends
  uint32_t hand_ = 0;
};

}  // namespace margay::vector
