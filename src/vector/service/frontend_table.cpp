#include "vector/service/frontend_table.h"

namespace margay::vector {
namespace {

constexpr uint32_t k_least_slots = 64;
constexpr auto k_relaxed = std::memory_order_relaxed;

uint64_t entry_of(uint64_t hash, uint32_t number) { return hash >> 32 << 32 | number; }

}  // namespace

FrontendTable::Slots::Slots(uint32_t count)
    : entries_(std::make_unique<std::atomic<uint64_t>[]>(count)), mask_(count - 1) {}

FrontendTable::FrontendTable(Rcu* rcu, uint32_t limit)
    : rcu_(rcu), numbers_(rcu, limit), records_(numbers_.end()), slots_(new Slots(k_least_slots)) {}

FrontendTable::~FrontendTable() { delete slots_.load(k_relaxed); }

std::atomic<uint64_t>* FrontendTable::locate(const FrontendKey& key, uint64_t hash) {
  Slots& slots = *slots_.load(k_relaxed);
  for (uint64_t at = hash;; ++at) {
    auto& slot = slots.entries_[at & slots.mask_];
    const uint64_t entry = slot.load(k_relaxed);
    if (entry == 0) return nullptr;
    const auto number = static_cast<uint32_t>(entry);
    if (number != 0 && (entry ^ hash) >> 32 == 0 && records_[number].key == key) return &slot;
  }
}

void FrontendTable::set(const FrontendRecord& record) {
  const uint64_t hash = record.key.hash();
  auto* const present = locate(record.key, hash);
  if (present && std::memcmp(&records_[static_cast<uint32_t>(present->load(k_relaxed))], &record,
                             sizeof record) == 0)
    return;

  const uint32_t number = numbers_.take();
  records_[number] = record;
  const uint64_t entry = entry_of(hash, number);
  if (present) {
    numbers_.retire(static_cast<uint32_t>(present->exchange(entry, std::memory_order_acq_rel)));
    return;
  }
  // Readers of what is not there walk to a free slot: keep at least half of them free.
  Slots* slots = slots_.load(k_relaxed);
  if (2 * (uint64_t{slots->used_} + 1) > slots->mask_ + 1) {
    renew_slots();
    slots = slots_.load(k_relaxed);
  }
  insert(slots, entry, hash);
  ++size_;
}

void FrontendTable::insert(Slots* slots, uint64_t entry, uint64_t hash) {
  for (uint64_t at = hash;; ++at) {
    auto& slot = slots->entries_[at & slots->mask_];
    if (slot.load(k_relaxed) != 0) continue;
    ++slots->used_;
    slot.store(entry, std::memory_order_release);
    return;
  }
}

// What was used and is gone is free again in the new slots, also when there are not more of them.
void FrontendTable::renew_slots() {
  Slots* const old = slots_.load(k_relaxed);
  uint32_t count = k_least_slots;
  while (count < 3 * (size_ + 1)) count *= 2;
  auto fresh = std::unique_ptr<Slots>(new Slots(count));
  for (uint64_t at = 0; at <= old->mask_; ++at) {
    const uint64_t entry = old->entries_[at].load(k_relaxed);
    const auto number = static_cast<uint32_t>(entry);
    if (number != 0) insert(fresh.get(), entry, records_[number].key.hash());
  }
  slots_.store(fresh.release(), std::memory_order_release);
  rcu_->defer([old] { delete old; });
}

void FrontendTable::erase(const FrontendKey& key) {
  auto* const slot = locate(key, key.hash());
  if (!slot) return;
  numbers_.retire(static_cast<uint32_t>(slot->exchange(k_gone, std::memory_order_acq_rel)));
  --size_;
}

}  // namespace margay::vector
