#include "vector/prefix_update.h"

#include <new>

namespace margay::vector {
namespace {

template <typename Key>
unsigned slot_of(Key key, unsigned from) {
  return static_cast<unsigned>((key << from) >> (k_key_bits<Key> - k_stride));
}

struct Range {
  unsigned first, last;
  bool meets(Range other) const { return first <= other.last && other.first <= last; }
};

// The slots of a branch at `from` that a prefix under it takes up; all of them when it is above.
template <typename Key>
Range slots_of(Key key, unsigned length, unsigned from) {
  if (length <= from) return {0, k_slots - 1};
  const unsigned first = slot_of(key, from);
  if (length >= from + k_stride) return {first, first};
  return {first, first + (1U << (from + k_stride - length)) - 1};
}

}  // namespace

// What the tree says of a branch's slots.
template <typename Nodes>
struct PrefixUpdate<Nodes>::Slots {
  Range affected;
  std::array<uint32_t, k_slots> inherited{};  // from prefixes up to the branch's last bit
  std::array<uint32_t, k_slots> node{};       // what is longer
  std::array<bool, k_slots> sheltered{};
};

template <typename Nodes>
size_t PrefixUpdate<Nodes>::block_bytes(const BlockPool& blocks, Entry node) {
  return is_match(node) ? sizeof(Match) : blocks.at<Branch>(node & k_block)->bytes();
}

template <typename Nodes>
void PrefixUpdate<Nodes>::build() {
  building_ = true;
  fill_root(0, (size_t{1} << Nodes::k_root_bits) - 1, tree_.root(), 0);
}

template <typename Nodes>
void PrefixUpdate<Nodes>::changed(Key key, unsigned length) {
  key_ = key;
  length_ = length;
  constexpr unsigned k_shift = k_key_bits<Key> - Nodes::k_root_bits;
  const auto first = static_cast<size_t>(key >> k_shift);
  if (length > Nodes::k_root_bits) {
    const auto [node, above] = tree_.below(masked(key, Nodes::k_root_bits), Nodes::k_root_bits);
    renew_root(first, node, above);
  } else {
    const auto [node, above] = tree_.below(key, length);
    fill_root(first, first + (size_t{1} << (Nodes::k_root_bits - length)) - 1, node, above);
  }
}

template <typename Nodes>
void PrefixUpdate<Nodes>::fill_root(size_t first, size_t last, uint32_t node, uint32_t inherited) {
  if (node == 0) return set_root(first, last + 1, inherited);
  const auto& n = tree_[node];
  constexpr unsigned k_bits = Nodes::k_root_bits;
  const auto begin = static_cast<size_t>(n.key >> (k_key_bits<Key> - k_bits));
  const size_t count = n.length >= k_bits ? 1 : size_t{1} << (k_bits - n.length);
  set_root(first, begin, inherited);
  set_root(begin + count, last + 1, inherited);
  if (n.length <= k_bits && is_shelter(n)) return;
  if (n.length >= k_bits) return renew_root(begin, node, inherited);
  if (n.value != 0) inherited = n.value;
  fill_root(begin, begin + count / 2 - 1, n.child[0], inherited);
  fill_root(begin + count / 2, begin + count - 1, n.child[1], inherited);
}

template <typename Nodes>
void PrefixUpdate<Nodes>::set_root(size_t first, size_t end, Entry value) {
  for (size_t i = first; i < end; ++i)
    if (root_[i] != value) publish(root_[i], value);
}

template <typename Nodes>
void PrefixUpdate<Nodes>::renew_root(size_t index, uint32_t node, uint32_t inherited) {
  const Entry old = root_[index];
  const Entry now = renew(node, Nodes::k_root_bits, inherited, old);
  if (now != old) publish(root_[index], now);
}

// The entry for an address' first `from` bits, where `node` is what the tree has inside:
// `inherited` counts for what it leaves open. Uses `old`, the entry before the change, as far as it
// still holds, and retires the rest.
template <typename Nodes>
Entry PrefixUpdate<Nodes>::renew(uint32_t node, unsigned from, uint32_t inherited, Entry old) {
  if (node != 0 && tree_[node].length == from) {
    const auto& n = tree_[node];
    if (n.value != 0) inherited = n.value;
    if (n.child[0] != 0 && n.child[1] != 0) return renew_branch(node, from, inherited, old);
    node = n.child[0] | n.child[1];
  }
  if (node == 0) {
    discard(old);
    return inherited;
  }
  const auto& n = tree_[node];
  if (n.is_leaf()) return renew_leaf(n.key, n.length, n.value, inherited, old);

  // The first level at which this node tells addresses apart.
  const unsigned deciding = n.value != 0 ? n.length - 1 : n.length;
  const unsigned level = from + (deciding - from) / k_stride * k_stride;
  if (level == from) return renew_branch(node, from, inherited, old);
  const Key key = masked(n.key, level);
  Match* same = is_match(old) ? match_at(old) : nullptr;
  if (same != nullptr && (same->length() != level || same->key() != key)) same = nullptr;
  const Entry before = same != nullptr ? same->inside : descend(old, from, level, key);
  const Entry inside = renew_branch(node, level, inherited, before);
  if (inside == inherited) {
    if (same != nullptr) retire(old);
    return inherited;
  }
  if (same == nullptr) return match(key, level, inside, inherited);
  return with(old, inside, inherited);
}

template <typename Nodes>
Entry PrefixUpdate<Nodes>::renew_leaf(Key key, unsigned length, uint32_t value, uint32_t inherited,
                                      Entry old) {
  if (value == inherited) {
    discard(old);
    return inherited;
  }
  if (is_match(old)) {
    Match* same = match_at(old);
    if (same->length() == length && same->key() == key) {
      discard(same->inside);
      return with(old, value, inherited);
    }
  }
  discard(old);
  return match(key, length, value, inherited);
}

template <typename Nodes>
Entry PrefixUpdate<Nodes>::renew_branch(uint32_t node, unsigned from, uint32_t inherited,
                                        Entry old) {
  Slots slots{.affected = building_ ? Range{0, k_slots - 1} : slots_of(key_, length_, from)};
  slots.inherited.fill(inherited);
  survey(node, from, inherited, slots);
  const auto before = spread(old, from);
  auto now = before;
  for (unsigned i = slots.affected.first; i <= slots.affected.last; ++i) {
    if (!slots.sheltered[i])
      now[i] = renew(slots.node[i], from + k_stride, slots.inherited[i], before[i]);
  }
  return store_branch(old, from, before, now);
}

template <typename Nodes>
void PrefixUpdate<Nodes>::survey(uint32_t node, unsigned from, uint32_t inherited,
                                 Slots& slots) const {
  if (node == 0) return;
  const auto& n = tree_[node];
  const Range range = slots_of(n.key, n.length, from);
  if (!range.meets(slots.affected)) return;
  const bool inside = n.length <= from + k_stride;
  if (inside && n.value != 0) {
    for (unsigned i = range.first; i <= range.last; ++i) {
      slots.inherited[i] = n.value;
      slots.sheltered[i] = is_shelter(n);
    }
  }
  if (n.length >= from + k_stride) {
    slots.node[range.first] = node;
    return;
  }
  survey(n.child[0], from, inherited, slots);
  survey(n.child[1], from, inherited, slots);
}

// Stores a branch's entries: over the old ones where their shape is the same.
template <typename Nodes>
Entry PrefixUpdate<Nodes>::store_branch(Entry old, unsigned from,
                                        const std::array<Entry, k_slots>& before,
                                        const std::array<Entry, k_slots>& now) {
  uint64_t starts = 1;
  for (unsigned i = 1; i < k_slots; ++i) starts |= uint64_t{now[i] != now[i - 1]} << i;
  Branch* same = is_branch(old) ? branch_at(old) : nullptr;
  if (same != nullptr && same->starts == starts) {
    for (unsigned i = 0; i < k_slots; ++i)
      if (now[i] != before[i] && (starts >> i & 1) != 0)
        publish(same->entry(same->index(i)), now[i]);
    return old;
  }
  if (same != nullptr) retire(old);
  if (starts == 1) return now[0];
  const uint32_t block = blocks_.allocate(Branch::bytes(starts));
  Branch* made = blocks_.at<Branch>(block);
  made->starts = starts;
  made->window = Nodes::window(from);
  size_t index = 0;
  for (unsigned i = 0; i < k_slots; ++i)
    if ((starts >> i & 1) != 0) store(made->entry(index++), now[i]);
  return k_branch | block;
}

// The entries that a branch at `from` would have in place of `old`.
template <typename Nodes>
std::array<Entry, k_slots> PrefixUpdate<Nodes>::spread(Entry old, unsigned from) {
  std::array<Entry, k_slots> entries;
  if (!is_node(old)) {
    entries.fill(old);
  } else if (is_branch(old)) {
    Branch* branch = branch_at(old);
    size_t index = 0;
    for (unsigned i = 0; i < k_slots; ++i) {
      if (i > 0 && (branch->starts >> i & 1) != 0) ++index;
      entries[i] = branch->entry(index);
    }
  } else {
    const Match* skipping = match_at(old);
    const Range range = slots_of(skipping->key(), skipping->length(), from);
    const bool ends_here = skipping->length() <= from + k_stride;
    entries.fill(skipping->outside);
    for (unsigned i = range.first; i <= range.last; ++i)
      entries[i] = ends_here ? skipping->inside : old;
    if (ends_here) retire(old);
  }
  return entries;
}

// The old entry for `key` at a deeper level; retires what stood beside the way.
template <typename Nodes>
Entry PrefixUpdate<Nodes>::descend(Entry old, unsigned from, unsigned to, Key key) {
  while (from < to && is_node(old)) {
    if (is_branch(old)) {
      Branch* branch = branch_at(old);
      const size_t way = branch->index(slot_of(key, from));
      for (size_t i = 0; i < branch->count(); ++i)
        if (i != way) discard(branch->entry(i));
      retire(old);
      old = branch->entry(way);
      from += k_stride;
      continue;
    }
    const Match* skipping = match_at(old);
    const unsigned length = skipping->length();
    if (common_bits(skipping->key(), key) < std::min(length, to)) {
      const Entry outside = skipping->outside;
      discard(old);
      return outside;
    }
    if (length > to) return old;
    retire(old);
    old = skipping->inside;
    from = length;
  }
  return old;
}

template <typename Nodes>
Entry PrefixUpdate<Nodes>::match(Key key, unsigned length, Entry inside, Entry outside) {
  const uint32_t block = blocks_.allocate(sizeof(Match));
  new (blocks_.at(block)) Match(key, length, inside, outside);
  return k_match | block;
}

// A match with other entries. `inside` is replaced in place. `outside` is not: the match may be
// about to move to a deeper level, and readers still come by its old place with addresses that
// another prefix decides for.
template <typename Nodes>
Entry PrefixUpdate<Nodes>::with(Entry old, Entry inside, Entry outside) {
  Match* same = match_at(old);
  if (same->outside != outside) {
    retire(old);
    return match(same->key(), same->length(), inside, outside);
  }
  if (same->inside != inside) publish(same->inside, inside);
  return old;
}

template <typename Nodes>
void PrefixUpdate<Nodes>::discard(Entry entry) {
  if (!is_node(entry)) return;
  if (is_match(entry)) {
    discard(match_at(entry)->inside);
  } else {
    Branch* branch = branch_at(entry);
    for (size_t i = 0; i < branch->count(); ++i) discard(branch->entry(i));
  }
  retire(entry);
}

template class PrefixUpdate<PrefixNodes4>;
template class PrefixUpdate<PrefixNodes6>;

}  // namespace margay::vector
