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
    const auto size = bytes.size();
    for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t)))
      hash = mix(hash, bytes.data(), sizeof(uint64_t));
    if (!bytes.empty()) hash = mix(hash, bytes.data(), bytes.size());
    return folded_multiply(hash ^ size, secret_);
  }

 private:
  uint64_t mix(uint64_t hash, const char* bytes, size_t size) const {
    uint64_t word = 0;
    std::memcpy(&word, bytes, size);
    return folded_multiply(hash ^ word, secret_);
  }

  uint64_t secret_;
};

}  // namespace margay::base
