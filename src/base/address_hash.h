#pragma once

// A hash for tables of addresses and networks that others choose, who cannot make them collide
// (base/secret_hash.h).

#include "base/address.h"
#include "base/secret_hash.h"

namespace margay::base {

class AddressHash {
 public:
  size_t operator()(const IPAddress& address) const {
    const auto bytes = address.bytes();
    return hash_({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  size_t operator()(const Prefix& prefix) const {
    const char length = static_cast<char>(prefix.length());
    return hash_.add((*this)(prefix.address()), {&length, 1});
  }

 private:
  SecretHash hash_;
};

}  // namespace margay::base
