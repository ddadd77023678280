#pragma once

// The control side of a PrefixMap: which prefixes there are, as a binary tree with skipped bits
// (a Patricia tree). A node either has a value, or is where two branches part. Keys are addresses
// as numbers, bit 0 being the most significant.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "vector/block_pool.h"

namespace margay::vector {

using uint128 = unsigned __int128;

template <typename Key>
constexpr unsigned k_key_bits = sizeof(Key) * 8;

template <typename Key>
constexpr Key masked(Key key, unsigned length) {
  return length == 0 ? Key{0} : key >> (k_key_bits<Key> - length) << (k_key_bits<Key> - length);
}

template <typename Key>
constexpr bool bit_of(Key key, unsigned index) {
  return (key >> (k_key_bits<Key> - 1 - index) & 1) != 0;
}

inline unsigned common_bits(uint32_t a, uint32_t b) {
  return static_cast<unsigned>(std::countl_zero(a ^ b));
}
inline unsigned common_bits(uint128 a, uint128 b) {
  const uint128 difference = a ^ b;
  const auto high = static_cast<uint64_t>(difference >> 64);
  const int zeros =
      high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<uint64_t>(difference));
  return static_cast<unsigned>(zeros);
}

template <typename Key>
class PrefixTree {
 public:
  struct Node {
    Key key;            // masked to `length`
    uint32_t child[2];  // by the bit after the first `length`; 0: none
    uint32_t value;     // 0: no prefix of its own, then it has both children
    uint32_t length;
    bool is_leaf() const { return (child[0] | child[1]) == 0; }
  };
  // What a change met: the prefix's own value before, and that of the longest shorter one that
  // covers it; 0: none.
  struct Met {
    uint32_t own = 0, above = 0;
  };

  explicit PrefixTree(size_t capacity_bytes) : nodes_(capacity_bytes) {}

  const Node& operator[](uint32_t node) const { return *nodes_.at<Node>(node); }
  uint32_t root() const { return root_; }
  size_t size() const { return size_; }
  size_t memory() const { return nodes_.memory(); }

  uint32_t find(Key key, unsigned length) const {
    const uint32_t found = below(key, length).node;
    return found != 0 && (*this)[found].length == length ? (*this)[found].value : 0;
  }

  // The topmost node inside a prefix, with the value of the longest shorter one that covers it.
  struct Subtree {
    uint32_t node, above;
  };
  Subtree below(Key key, unsigned length) const {
    uint32_t above = 0, node = root_;
    while (node != 0) {
      const Node& n = (*this)[node];
      if (common_bits(n.key, key) < std::min(n.length, length)) return {0, above};
      if (n.length >= length) break;
      if (n.value != 0) above = n.value;
      node = n.child[bit_of(key, n.length)];
    }
    return {node, above};
  }

  // Inserts or replaces.
  Met set(Key key, unsigned length, uint32_t value) {
    Met met;
    uint32_t* link = &root_;
    while (*link != 0) {
      Node& n = node(*link);
      const unsigned common = std::min({common_bits(n.key, key), n.length, length});
      if (common < n.length) {
        part(*link, key, length, common, value);
        return met;
      }
      if (n.length == length) {
        met.own = n.value;
        if (n.value == 0) ++size_;
        n.value = value;
        return met;
      }
      if (n.value != 0) met.above = n.value;
      link = &n.child[bit_of(key, n.length)];
    }
    *link = make(key, length, value);
    return met;
  }

  Met erase(Key key, unsigned length) {
    Met met;
    uint32_t* link = &root_;
    uint32_t* parent = nullptr;
    while (*link != 0 && node(*link).length < length) {
      Node& n = node(*link);
      if (common_bits(n.key, key) < n.length) return met;
      if (n.value != 0) met.above = n.value;
      parent = link;
      link = &n.child[bit_of(key, n.length)];
    }
    if (*link == 0 || node(*link).length != length || node(*link).key != key) return met;
    met.own = node(*link).value;
    if (met.own == 0) return met;
    node(*link).value = 0;
    --size_;
    drop_if_needless(*link);
    if (parent != nullptr) drop_if_needless(*parent);
    return met;
  }

 private:
  Node& node(uint32_t index) { return *nodes_.template at<Node>(index); }

  uint32_t make(Key key, unsigned length, uint32_t value) {
    const uint32_t made = nodes_.allocate(sizeof(Node));
    node(made) = {masked(key, length), {0, 0}, value, length};
    if (value != 0) ++size_;
    return made;
  }

  // Puts a node above the one at `link`, which shares only `common` bits with the new prefix.
  void part(uint32_t& link, Key key, unsigned length, unsigned common, uint32_t value) {
    const uint32_t below = link;
    const uint32_t leaf = make(key, length, value);
    const uint32_t fork = common == length ? leaf : make(key, common, 0);
    if (fork != leaf) node(fork).child[bit_of(key, common)] = leaf;
    node(fork).child[bit_of(node(below).key, common)] = below;
    link = fork;
  }

  // Without a value, a node is needed only where two branches part.
  void drop_if_needless(uint32_t& link) {
    const uint32_t dropped = link;
    const Node& n = node(dropped);
    if (n.value != 0 || (n.child[0] != 0 && n.child[1] != 0)) return;
    link = n.child[0] | n.child[1];
    nodes_.free(dropped, sizeof(Node));
  }

  BlockPool nodes_;
  uint32_t root_ = 0;
  size_t size_ = 0;
};

}  // namespace margay::vector
