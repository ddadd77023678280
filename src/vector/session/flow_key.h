#pragma once

// The secret that flows are hashed with. Whoever sends packets chooses their addresses and ports;
// without the key nobody can choose them so that flows meet in one bucket of a table, or all fall
// to one worker. One key for all workers of an engine, since the hash also says who owns a flow;
// where a session table outlives the process, the key is kept with it.
//
// Not the hash that chooses a service's backend: that one is equal on all nodes
// (service/flow_hash.h).

#include <array>
#include <cstdint>
#include <cstring>

#include "base/entropy.h"
#include "base/folded_multiply.h"
#include "vector/session/tuple.h"

namespace margay::vector {

class FlowKey {
 public:
  static constexpr size_t k_words = 5;

  static FlowKey random() { return FlowKey(base::random_words<k_words>()); }
  // For tests that must fall the same way each time.
  explicit FlowKey(const std::array<uint64_t, k_words>& words) : words_(words) {}

  // The same for both directions of a flow that is not translated. Of its bits count the lower 32,
  // for tables, and the upper 16, for the owner.
  uint64_t hash(const Tuple4& flow, uint8_t protocol) const {
    const uint64_t source = end_of(flow.source, flow.source_port);
    const uint64_t destination = end_of(flow.destination, flow.destination_port);
    const bool in_order = source <= destination;
    const uint64_t lower = in_order ? source : destination;
    const uint64_t upper = in_order ? destination : source;
    const uint64_t rest = uint64_t{protocol} << 56;
    const uint64_t all = base::folded_multiply(lower ^ words_[0], upper ^ words_[1] ^ rest);
    return base::folded_multiply(all, words_[2]);
  }
  // The ports stay out of the ends' hashes, so that those are two multiplications side by side.
  // What varies in steps goes through two more: one alone leaves steps in the upper bits.
  uint64_t hash(const Tuple6& flow, uint8_t protocol) const {
    const uint64_t source = hash_address(flow.source);
    const uint64_t destination = hash_address(flow.destination);
    const bool in_order = source < destination ||
                          (source == destination && flow.source_port <= flow.destination_port);
    const uint64_t lower = in_order ? source : destination;
    const uint64_t upper = in_order ? destination : source;
    const uint64_t ports = in_order ? end_of(flow.source_port, flow.destination_port)
                                    : end_of(flow.destination_port, flow.source_port);
    const uint64_t rest = ports | uint64_t{protocol} << 56;
    const uint64_t all = base::folded_multiply(lower ^ words_[2], upper ^ words_[3] ^ rest);
    return base::folded_multiply(all, words_[4]);
  }

 private:
  static uint64_t end_of(uint32_t address, uint16_t port) { return address | uint64_t{port} << 32; }
  uint64_t hash_address(const std::array<uint8_t, 16>& address) const {
    uint64_t high = 0, low = 0;
    std::memcpy(&high, address.data(), 8);
    std::memcpy(&low, address.data() + 8, 8);
    return base::folded_multiply(high ^ words_[0], low ^ words_[1]);
  }

  std::array<uint64_t, k_words> words_;
};

// Of `workers`, the one that owns a flow with this hash.
inline unsigned owner_of(uint64_t hash, unsigned workers) {
  return static_cast<unsigned>((hash >> 48) * workers >> 16);
}

}  // namespace margay::vector
