#pragma once

// The form in which workers read a PrefixMap. An entry is a value, or the number of a block:
//
//   Branch  looks at six bits of the address. `starts` has a bit for each of the 64 slots that
//           differs from the one before; only the entries of those are stored.
//   Match   compares the address with a whole prefix, and so skips levels where only one branch is.
//
// The first k_root_bits are looked up directly in an array of entries. Levels are six bits apart
// from there. A block's shape never changes once it is published, but entries inside are replaced
// in place, by one store each. Every address has exactly one entry that says its value, so a lookup
// takes that of a moment.

#include <array>
#include <cstring>

#include "base/address.h"
#include "vector/prefix_tree.h"

namespace margay::vector {

using Entry = uint32_t;
inline constexpr Entry k_branch = 1U << 31, k_match = 1U << 30;  // neither: a value
inline constexpr Entry k_block = k_match - 1;
inline constexpr unsigned k_stride = 6, k_slots = 1 << k_stride;

constexpr bool is_node(Entry entry) { return (entry & ~k_block) != 0; }
constexpr bool is_match(Entry entry) { return (entry & k_match) != 0; }
constexpr bool is_branch(Entry entry) { return (entry & k_branch) != 0; }

inline Entry load(const Entry& entry) { return __atomic_load_n(&entry, __ATOMIC_ACQUIRE); }
inline void store(Entry& entry, Entry now) { __atomic_store_n(&entry, now, __ATOMIC_RELEASE); }

// The entries stand behind the header, in the same block: `starts` has one bit for each.
struct Branch {
  uint64_t starts;
  uint32_t window;  // where in an address the six bits are; the family's form

  static size_t bytes(uint64_t starts) {
    return k_header + sizeof(Entry) * static_cast<size_t>(std::popcount(starts));
  }
  size_t bytes() const { return bytes(starts); }
  size_t count() const { return static_cast<size_t>(std::popcount(starts)); }
  Entry& entry(size_t index) {
    return *reinterpret_cast<Entry*>(reinterpret_cast<char*>(this) + k_header +
                                     index * sizeof(Entry));
  }
  size_t index(unsigned slot) const {
    return static_cast<size_t>(std::popcount(starts << (~slot & (k_slots - 1)))) - 1;
  }
  // What a worker reads. `slot` may have more bits than six.
  Entry at(uint64_t slot) const {
    const auto rank =
        static_cast<size_t>(std::popcount(starts << (~slot & (k_slots - 1))));  // at least one
    const char* before_first = reinterpret_cast<const char*>(this) + k_header - sizeof(Entry);
    return load(*reinterpret_cast<const Entry*>(before_first + rank * sizeof(Entry)));
  }

 private:
  static constexpr size_t k_header = 12;
};

// What differs by family: how an address is held, and so a Match and a window.
struct PrefixNodes4 {
  using Key = uint32_t;
  using Address = uint32_t;  // host order
  static constexpr base::IPFamily k_family = base::IPFamily::v4;
  static constexpr unsigned k_root_bits = 18;

  struct Match {
    uint32_t expected, mask;
    Entry inside, outside;

    Match(Key key, unsigned length, Entry within, Entry without)
        : expected(key), mask(masked(~Key{0}, length)), inside(within), outside(without) {}
    Key key() const { return expected; }
    unsigned length() const { return static_cast<unsigned>(std::popcount(mask)); }
    Entry at(Address address) const {
      const Entry& chosen = ((address ^ expected) & mask) == 0 ? inside : outside;
      return load(chosen);
    }
  };

  static Address address(const base::IPAddress& of) { return of.to_v4(); }
  static Key key(const base::IPAddress& of) { return of.to_v4(); }
  static size_t root_index(Address address) { return address >> (32 - k_root_bits); }
  static uint32_t window(unsigned from) { return 32 - from; }
  static uint64_t slot(Address address, uint32_t window) {
    return uint64_t{address} << k_stride >> window;
  }
};

struct PrefixNodes6 {
  using Key = uint128;
  using Address = std::array<uint8_t, 16>;  // network order
  static constexpr base::IPFamily k_family = base::IPFamily::v6;
  static constexpr unsigned k_root_bits = 20;

  struct Match {
    Address expected;
    Entry inside, outside;
    uint32_t bits;

    Match(Key key, unsigned length, Entry within, Entry without)
        : inside(within), outside(without), bits(length) {
      for (unsigned i = 0; i < 16; ++i) expected[i] = static_cast<uint8_t>(key >> (120 - 8 * i));
    }
    Key key() const { return to_key(expected); }
    unsigned length() const { return bits; }
    Entry at(const Address& address) const {
      const Halves a = halves(address), e = halves(expected), mask = k_masks[bits];
      const bool same =
          (((a.first ^ e.first) & mask.first) | ((a.second ^ e.second) & mask.second)) == 0;
      const Entry& chosen = same ? inside : outside;
      return load(chosen);
    }
  };

  static Address address(const base::IPAddress& of) {
    Address bytes;
    std::memcpy(bytes.data(), of.bytes().data(), bytes.size());
    return bytes;
  }
  static Key key(const base::IPAddress& of) { return to_key(address(of)); }
  static size_t root_index(const Address& address) {
    return big_endian<uint32_t>(address.data()) >> (32 - k_root_bits);
  }
  // The two bytes that hold the six bits, and how far right those are in them.
  static uint32_t window(unsigned from) {
    const unsigned byte = std::min(from / 8, 14U);
    return byte << 8 | (16 - k_stride - (from - 8 * byte));
  }
  static uint64_t slot(const Address& address, uint32_t window) {
    return uint32_t{big_endian<uint16_t>(address.data() + (window >> 8))} >> (window & 0xff);
  }

 private:
  struct Halves {
    uint64_t first, second;  // as they lie in memory
  };
  template <typename Number>
  static Number big_endian(const uint8_t* bytes) {
    Number number;
    std::memcpy(&number, bytes, sizeof number);
    if constexpr (std::endian::native == std::endian::big) return number;
    if constexpr (sizeof number == 2) return __builtin_bswap16(number);
    if constexpr (sizeof number == 4) return __builtin_bswap32(number);
    if constexpr (sizeof number == 8) return __builtin_bswap64(number);
  }
  static Key to_key(const Address& address) {
    return Key{big_endian<uint64_t>(address.data())} << 64 |
           big_endian<uint64_t>(address.data() + 8);
  }
  static Halves halves(const Address& address) {
    Halves both;
    std::memcpy(&both, address.data(), sizeof both);
    return both;
  }
  static constexpr std::array<Halves, 129> k_masks = [] {
    std::array<Halves, 129> masks{};
    for (unsigned length = 0; length <= 128; ++length) {
      std::array<uint8_t, 16> bytes{};
      for (unsigned i = 0; i < length; ++i)
        bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | 0x80U >> i % 8);
      masks[length] = std::bit_cast<Halves>(bytes);
    }
    return masks;
  }();
};

// The entry after a node's.
template <typename Nodes>
Entry step(const BlockPool& blocks, Entry entry, const typename Nodes::Address& address) {
  const uint32_t block = entry & k_block;
  if (is_match(entry)) return blocks.at<typename Nodes::Match>(block)->at(address);
  const Branch* branch = blocks.at<Branch>(block);
  return branch->at(Nodes::slot(address, branch->window));
}

// From an entry on the address' way to its value.
template <typename Nodes>
uint32_t finish(const BlockPool& blocks, Entry entry, const typename Nodes::Address& address) {
  while (is_node(entry)) entry = step<Nodes>(blocks, entry, address);
  return entry;
}

}  // namespace margay::vector
