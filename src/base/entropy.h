#pragma once

// Numbers that nobody can guess, from the kernel (getrandom(2)): for keys and seeds.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace margay::base {

// Throws std::runtime_error where the kernel gives none: nothing that needs a secret can go on.
void fill_random(std::span<std::byte> bytes);

template <size_t N>
std::array<uint64_t, N> random_words() {
  std::array<uint64_t, N> words;
  fill_random(std::as_writable_bytes(std::span(words)));
  return words;
}

}  // namespace margay::base
