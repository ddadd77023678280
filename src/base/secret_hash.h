#pragma once

// A hash of bytes that whoever chooses them cannot make collide: it depends on a secret of its own,
// drawn when it is made. For tables of what others send; not for cryptography.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/entropy.h"
#include "base/folded_multiply.h"

namespace margay::base {

class SecretHash {
 public:
  SecretHash() : secret_(random_words<1>()[0] | 1) {}

  uint64_t operator()(std::string_view bytes) const { return add(secret_ >> 1, bytes); }
  // The hash of what `hash` is of, and of these bytes after it.
  uint64_t add(uint64_t hash, std::string_view bytes) const {
    const char* at = bytes.data();
    const size_t size = bytes.size();
    for (size_t left = size; left > 8; left -= 8, at += 8) hash = mix(hash, read<uint64_t>(at));
    if (size > 0) hash = mix(hash, last_word(bytes));
    return folded_multiply(hash ^ size, secret_);
  }

 private:
  template <typename Word>
  static uint64_t read(const char* at) {
    Word word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  // Of more than eight bytes the last eight, else all: the size, which is hashed too, tells which.
  static uint64_t last_word(std::string_view bytes) {
    const char* at = bytes.data();
    const size_t size = bytes.size();
    if (size >= 8) return read<uint64_t>(at + size - 8);
    if (size >= 4) return read<uint32_t>(at) | read<uint32_t>(at + size - 4) << 32;
    return read<uint8_t>(at) | read<uint8_t>(at + size / 2) << 8 |
           read<uint8_t>(at + size - 1) << 16;
  }
  uint64_t mix(uint64_t hash, uint64_t word) const { return folded_multiply(hash ^ word, secret_); }

  uint64_t secret_;
};

}  // namespace margay::base
