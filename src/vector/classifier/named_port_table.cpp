#include "vector/classifier/named_port_table.h"

#include <algorithm>
#include <bit>

namespace margay::vector {
namespace {

constexpr size_t k_fewest_slots = 16;

}  // namespace

NamedPortTable::NamedPortTable(Rcu& rcu) : rcu_(rcu), slots_(make(k_fewest_slots)) {}

NamedPortTable::~NamedPortTable() { delete slots_.load(); }

void NamedPortTable::set(const policy::SetMember& member, uint32_t value) {
  const auto family = static_cast<uint8_t>(member.net.family());
  const Key key = key_of(family, member.net.address().bytes().data(), member.protocol, member.port);
  Slots* slots = slots_.load(std::memory_order_relaxed);
  const auto [slot, old] = slots->find(key);
  if (old == 0 && value == 0) return;
  if (old <= 1 && value != 0) ++live_;
  if (old > 1 && value == 0) --live_;
  if (old == 0) {
    slot.key = key;
    ++used_;
  }
  slot.value.store(value + 1, std::memory_order_release);
  const bool too_full = used_ * 2 > slots->mask;
  const bool too_empty = slots->mask >= k_fewest_slots && live_ * 16 < slots->mask;
  if (too_full || too_empty) rebuild();
}

void NamedPortTable::rebuild() {
  Slots* old = slots_.load(std::memory_order_relaxed);
  Slots* now = make(std::max(k_fewest_slots, std::bit_ceil(live_ * 4)));
  for (size_t i = 0; i <= old->mask; ++i) {
    const uint32_t stored = old->at[i].value.load(std::memory_order_relaxed);
    if (stored <= 1) continue;
    Slot& slot = now->find(old->at[i].key).slot;
    slot.key = old->at[i].key;
    slot.value.store(stored, std::memory_order_relaxed);
  }
  used_ = live_;
  slots_.store(now, std::memory_order_release);
  rcu_.defer([old] { delete old; });
}

}  // namespace margay::vector
