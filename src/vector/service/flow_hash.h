#pragma once

// The hashes by which services are found and backends chosen. They are part of the contract between
// nodes: all nodes must hash a flow alike, so that a router that moves a flow to another node
// (ECMP) does not move it to another backend. Never seeded, never changed without need.
//
// The mixer multiplies 64 x 64 -> 128 bits and folds the halves together; each input word is
// first combined with a word of the fraction of pi. A flow's hash covers client and service
// address, both ports, protocol and family, and is not symmetric. No defence against a client that
// searches for collisions: all it gains is to choose its own backend.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/address.h"
#include "base/folded_multiply.h"

namespace margay::vector {

static_assert(std::endian::native == std::endian::little, "addresses are hashed as loaded words");

// Network order; an IPv4 address is the first four bytes, and the rest is zero.
using AddressBytes = std::array<uint8_t, 16>;

inline AddressBytes address_bytes(const base::IPAddress& address) {
  AddressBytes bytes{};
  std::memcpy(bytes.data(), address.bytes().data(), address.bytes().size());
  return bytes;
}

// A packet on its way to a service, before translation. Ports in host order.
struct FlowTuple {
  AddressBytes client{}, service{};
  uint16_t client_port = 0, service_port = 0;
  uint8_t protocol = 0;
  uint8_t family = 4;  // 4 or 6
};

// Pi's fraction: nobody chose these.
inline constexpr std::array<uint64_t, 8> k_pi = {
    0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
    0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917};

inline uint64_t hash_address(const AddressBytes& address, uint64_t first, uint64_t second) {
  uint64_t words[2];
  std::memcpy(words, address.data(), sizeof words);
  return base::folded_multiply(words[0] ^ first, words[1] ^ second);
}

inline uint64_t hash_service_address(const AddressBytes& address) {
  return hash_address(address, k_pi[2], k_pi[3]);
}

// Of what a frontend is found by; `address_hash` is of the service's address.
inline uint64_t hash_frontend(uint64_t address_hash, uint16_t port, uint8_t protocol,
                              uint8_t family) {
  const uint64_t rest = uint64_t{port} | uint64_t{protocol} << 16 | uint64_t{family} << 24;
  return base::folded_multiply(address_hash ^ rest, k_pi[4]);
}

inline uint64_t hash_flow(const FlowTuple& flow, uint64_t address_hash) {
  const uint64_t rest = uint64_t{flow.client_port} | uint64_t{flow.service_port} << 16 |
                        uint64_t{flow.protocol} << 32 | uint64_t{flow.family} << 40;
  const uint64_t client = hash_address(flow.client, k_pi[0], k_pi[1]);
  return base::folded_multiply(base::folded_multiply(client ^ rest, k_pi[5]) ^ address_hash,
                               k_pi[6]);
}

// What chooses for services with client affinity: all flows of a client, whichever frontend they
// take, go to one backend on every node, even where nothing is remembered of that client.
inline uint64_t hash_client(const AddressBytes& client, uint8_t family) {
  return base::folded_multiply(hash_address(client, k_pi[0], k_pi[1]) ^ family, k_pi[7]);
}

}  // namespace margay::vector
