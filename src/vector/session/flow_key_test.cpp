#include "vector/session/flow_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace margay::vector {
namespace {

constexpr uint8_t k_tcp = 6, k_udp = 17;

Tuple6 tuple6(uint64_t source_low, uint16_t source_port) {
  Tuple6 tuple;
  tuple.source = {0xfd, 1};
  tuple.destination = {0xfd, 2};
  std::memcpy(&tuple.source[8], &source_low, 8);
  tuple.source_port = source_port;
  tuple.destination_port = 443;
  return tuple;
}

TEST(FlowKey, BothDirectionsOfAPlainFlowHashAlike) {
  const auto key = FlowKey::random();
  const Tuple4 four{1, 2, 1000, 80};
  EXPECT_EQ(key.hash(four, k_tcp), key.hash(reversed(four), k_tcp));
  const Tuple6 six = tuple6(7, 1000);
  EXPECT_EQ(key.hash(six, k_tcp), key.hash(reversed(six), k_tcp));
  Tuple6 hairpin = six;
  hairpin.destination = hairpin.source;
  EXPECT_EQ(key.hash(hairpin, k_tcp), key.hash(reversed(hairpin), k_tcp)) << "only ports differ";
}

TEST(FlowKey, EveryPartOfTheTupleCounts) {
  const auto key = FlowKey::random();
  const auto six = [](auto change) {
    Tuple6 tuple = tuple6(7, 1000);
    change(tuple);
    return tuple;
  };
  std::set<uint64_t> hashes{
      key.hash(Tuple4{1, 2, 3, 4}, k_tcp),
      key.hash(Tuple4{9, 2, 3, 4}, k_tcp),
      key.hash(Tuple4{1, 9, 3, 4}, k_tcp),
      key.hash(Tuple4{1, 2, 9, 4}, k_tcp),
      key.hash(Tuple4{1, 2, 3, 9}, k_tcp),
      key.hash(Tuple4{1, 2, 4, 3}, k_tcp),
      key.hash(Tuple4{1, 2, 3, 4}, k_udp),
      key.hash(six([](Tuple6&) {}), k_tcp),
      key.hash(six([](Tuple6& t) { t.source[0] ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { t.source[15] ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { t.destination[0] ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { t.destination[15] ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { t.source_port ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { t.destination_port ^= 1; }), k_tcp),
      key.hash(six([](Tuple6& t) { std::swap(t.source_port, t.destination_port); }), k_tcp),
      key.hash(six([](Tuple6&) {}), k_udp),
  };
  EXPECT_EQ(hashes.size(), 16U);
}

// What a sender can compute without the key: addresses that step as ports do, the other way.
TEST(FlowKey, FlowsThatASenderAimsAtOneBucketSpread) {
  struct Case {
    std::string name;
    std::function<uint64_t(const FlowKey&, uint16_t)> hash;
  };
  const std::vector<Case> cases{
      {"IPv6, address X - p * 2^32 with port p",
       [](const FlowKey& key, uint16_t p) {
         return key.hash(tuple6(uint64_t{1} << 60 | (uint64_t{0} - (uint64_t{p} << 32)), p), k_tcp);
       }},
      {"IPv6, address X ^ p with port p",
       [](const FlowKey& key, uint16_t p) { return key.hash(tuple6(0x1234U ^ p, p), k_tcp); }},
      {"IPv6, ports alone",
       [](const FlowKey& key, uint16_t p) { return key.hash(tuple6(1, p), k_tcp); }},
      {"IPv4, address X - p with port p",
       [](const FlowKey& key, uint16_t p) {
         return key.hash(Tuple4{0x0a000000U - p, 1, p, 443}, k_tcp);
       }},
      {"IPv4, both ports, equal in sum",
       [](const FlowKey& key, uint16_t p) {
         return key.hash(Tuple4{1, 2, p, static_cast<uint16_t>(~p)}, k_tcp);
       }},
      {"IPv4, ports alone",
       [](const FlowKey& key, uint16_t p) { return key.hash(Tuple4{1, 2, p, 443}, k_tcp); }},
  };
  constexpr size_t k_flows = 4096;
  for (int round = 0; round < 32; ++round) {
    const auto key = FlowKey::random();
    for (const auto& each : cases) {
      std::set<uint64_t> buckets, owners;
      for (uint16_t p = 0; p < k_flows; ++p) {
        buckets.insert(each.hash(key, p) & 0xffff);
        owners.insert(each.hash(key, p) >> 48);
      }
      // 4,096 balls in 65,536 bins fill 3,969 of them, give or take 11.
      EXPECT_GT(buckets.size(), 3800U) << each.name;
      EXPECT_GT(owners.size(), 3800U) << each.name;
    }
  }
}

TEST(FlowKey, TwoKeysAgreeOnNothing) {
  const auto one = FlowKey::random(), other = FlowKey::random();
  const Tuple4 four{1, 2, 1000, 80};
  EXPECT_NE(one.hash(four, k_tcp), other.hash(four, k_tcp));
  EXPECT_NE(one.hash(tuple6(7, 1000), k_tcp), other.hash(tuple6(7, 1000), k_tcp));
}

}  // namespace
}  // namespace margay::vector
