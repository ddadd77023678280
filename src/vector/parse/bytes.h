#pragma once

// Loads and stores in packets: any alignment. `load` is in the machine's order, `load_be` in the
// network's.

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace margay::vector {

template <std::unsigned_integral T>
inline T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <std::unsigned_integral T>
inline void store(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

template <std::unsigned_integral T>
inline T big_endian(T value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

template <std::unsigned_integral T>
inline T load_be(const uint8_t* at) {
  return big_endian(load<T>(at));
}

template <std::unsigned_integral T>
inline void store_be(uint8_t* at, T value) {
  store(at, big_endian(value));
}

}  // namespace margay::vector
