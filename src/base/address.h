#pragma once

// IPv4 and IPv6 addresses and prefixes: small values, compared and hashed by their bytes.
// Text is read strictly (four decimal parts without leading zeros; RFC 4291 forms for IPv6) and
// written in the canonical form of RFC 5952.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::base {

enum class IPFamily : uint8_t { v4 = 4, v6 = 6 };

class IPAddress {
 public:
  constexpr IPAddress() = default;  // 0.0.0.0
  static constexpr IPAddress v4(uint32_t host_order) {
    IPAddress address;
    for (unsigned i = 0; i < 4; ++i)
      address.bytes_[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
    return address;
  }
  static constexpr IPAddress v6(const std::array<uint8_t, 16>& network_order) {
    IPAddress address;
    address.family_ = IPFamily::v6;
    address.bytes_ = network_order;
    return address;
  }
  // 4 or 16 bytes in network order.
  static Result<IPAddress> from_bytes(std::span<const uint8_t> bytes);
  static Result<IPAddress> parse(std::string_view text);

  constexpr IPFamily family() const { return family_; }
  constexpr bool is_v4() const { return family_ == IPFamily::v4; }
  constexpr bool is_v6() const { return family_ == IPFamily::v6; }
  // 32 or 128.
  constexpr unsigned bits() const { return is_v4() ? 32 : 128; }
  // Network order, 4 or 16 bytes.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), bits() / 8}; }
  // Host order; only for IPv4.
  constexpr uint32_t to_v4() const {
    return uint32_t{bytes_[0]} << 24 | uint32_t{bytes_[1]} << 16 | uint32_t{bytes_[2]} << 8 |
           bytes_[3];
  }
  // Bit 0 is the most significant.
  constexpr bool bit(unsigned index) const {
    return (bytes_[index / 8] >> (7 - index % 8) & 1) != 0;
  }
  // The address `offset` after this one; wraps around at the family's end.
  IPAddress plus(uint64_t offset) const;
  std::string to_string() const;

  constexpr auto operator<=>(const IPAddress&) const = default;

 private:
  IPFamily family_ = IPFamily::v4;
  std::array<uint8_t, 16> bytes_{};  // unused bytes are zero, so that comparison is plain
};

// An address and a length. `parse` masks host bits off; `parse_strict` refuses them.
class Prefix {
 public:
  constexpr Prefix() = default;  // 0.0.0.0/0
  // Masks host bits off. `length` is cut to the family's width.
  Prefix(IPAddress address, unsigned length);
  // The single address: /32 or /128.
  explicit Prefix(IPAddress address) : Prefix(address, address.bits()) {}

  // "10.0.0.0/8"; an address without a length means that address alone.
  static Result<Prefix> parse(std::string_view text);
  static Result<Prefix> parse_strict(std::string_view text);
  static Prefix all(IPFamily family);

  const IPAddress& address() const { return address_; }
  unsigned length() const { return length_; }
  IPFamily family() const { return address_.family(); }
  bool is_single() const { return length_ == address_.bits(); }
  bool contains(const IPAddress& address) const;
  bool contains(const Prefix& other) const;
  bool overlaps(const Prefix& other) const { return contains(other) || other.contains(*this); }
  IPAddress last() const;
  // Always with the length, also for single addresses.
  std::string to_string() const;

  auto operator<=>(const Prefix&) const = default;

 private:
  IPAddress address_;
  unsigned length_ = 0;
};

}  // namespace margay::base
