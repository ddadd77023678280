#pragma once

// The mixer behind the project's own hashes: 64 x 64 -> 128 bits, both halves folded together.
// Every bit of the result depends on every bit of both words.

#include <cstdint>

namespace margay::base {

inline uint64_t folded_multiply(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace margay::base
