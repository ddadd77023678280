#include "vector/session/session_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <vector>

namespace margay::vector {
namespace {

const FlowKey k_key({1, 2, 3, 4, 5});

Tuple4 tuple4(uint32_t n, uint16_t port) { return {n, n ^ 0x5a5a5a5aU, port, 443}; }

template <typename Tuple>
SessionRef lookup(const SessionTable<Tuple>& table, const Tuple& tuple, uint8_t protocol) {
  const uint64_t hash = table.hash(tuple, protocol);
  const SessionRef ref = table.found(table.candidate(hash), hash, tuple, protocol);
  EXPECT_EQ(ref.value, table.find(hash, tuple, protocol).value);
  return ref;
}

TEST(SessionTable, AFlowIsFoundFromBothEnds) {
  SessionTable<Tuple4> table(16, k_key);
  const Tuple4 there{1, 2, 1000, 80}, back{3, 1, 8080, 1000};  // to a backend behind a service
  auto* record = table.insert(there, back, 6, k_translated);
  ASSERT_TRUE(record);
  const auto forward = lookup(table, there, 6), reverse = lookup(table, back, 6);
  EXPECT_EQ(&table[forward], record);
  EXPECT_EQ(forward.direction(), FlowDirection::forward);
  EXPECT_EQ(&table[reverse], record);
  EXPECT_EQ(reverse.direction(), FlowDirection::reverse);
  EXPECT_FALSE(lookup(table, there, 17)) << "another protocol is another flow";
  EXPECT_FALSE(lookup(table, reversed(there), 6));
  table.erase(*record);
  EXPECT_FALSE(lookup(table, there, 6));
  EXPECT_FALSE(lookup(table, back, 6));
}

TEST(SessionTable, AFullTableRefusesAndGoesOnOnceThereIsRoom) {
  SessionTable<Tuple4> table(100, k_key);
  std::vector<Session4*> records;
  for (uint16_t i = 0; i < 100; ++i) {
    records.push_back(table.insert(tuple4(i, i), reversed(tuple4(i, i)), 6, 0));
    ASSERT_TRUE(records.back());
  }
  EXPECT_FALSE(table.insert(tuple4(500, 1), reversed(tuple4(500, 1)), 6, 0));
  table.erase(*records[50]);
  EXPECT_FALSE(table.insert(tuple4(500, 1), reversed(tuple4(500, 1)), 6, 0)) << "not before";
  table.recycle();
  EXPECT_TRUE(table.insert(tuple4(500, 1), reversed(tuple4(500, 1)), 6, 0));
  EXPECT_TRUE(lookup(table, tuple4(99, 99), 6));
  EXPECT_TRUE(lookup(table, tuple4(500, 1), 6));
  EXPECT_EQ(table.size(), 100U);
}

TEST(SessionTable, ASweepSeesEveryRecordOnceARound) {
  SessionTable<Tuple4> table(1000, k_key);
  for (uint16_t i = 0; i < 300; ++i) table.insert(tuple4(i, i), reversed(tuple4(i, i)), 6, 0);
  std::map<uint32_t, int> seen;
  for (int part = 0; part < 3; ++part)
    table.sweep(100, [&](Session4& record) { ++seen[record.tuple[0].source]; });
  EXPECT_EQ(seen.size(), 300U);
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& each) { return each.second == 1; }));
  EXPECT_EQ(table.sweep(300, [&](Session4& record) { table.erase(record); }), 300U);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SessionTable, GivesItsMemoryBackOnceItIsEmpty) {
  SessionTable<Tuple4> table(20000, k_key);
  const auto memory = table.memory();
  std::vector<Session4*> records;
  const auto fill = [&] {
    for (uint16_t i = 0; i < 10000; ++i)
      records.push_back(table.insert(tuple4(i, i), reversed(tuple4(i, i)), 6, 0));
  };
  fill();
  for (size_t i = 1; i < records.size(); ++i) table.erase(*records[i]);
  table.shrink();
  EXPECT_TRUE(lookup(table, tuple4(0, 0), 6)) << "one is left: nothing goes";
  table.erase(*records[0]);
  table.shrink();
  EXPECT_EQ(table.memory(), memory);
  EXPECT_EQ(table.places(), 0U);
  EXPECT_EQ(table.sweep(10, [](Session4&) {}), 0U);
  fill();
  EXPECT_EQ(table.size(), 10000U);
  EXPECT_TRUE(lookup(table, reversed(tuple4(9999, 9999)), 6));
}

// Random insertions and removals, with addresses few enough that hashes meet, against a map.
template <typename Tuple, typename Make>
void compare_with_map(Make make, uint64_t seed) {
  std::mt19937_64 random(seed);
  SessionTable<Tuple> table(20000, k_key);
  std::map<uint32_t, Session<Tuple>*> model;
  const auto memory = table.memory();
  for (int step = 0; step < 100000; ++step) {
    table.recycle();
    // Phases of growth and of shrinking.
    const bool grow = random() % 100 < (step / 20000 % 2 == 0 ? 80 : 25);
    const auto n = static_cast<uint32_t>(random() % 30000);
    const auto known = model.find(n);
    if (known != model.end() && !grow) {
      table.erase(*known->second);
      model.erase(known);
    } else if (known == model.end() && grow) {
      auto* record = table.insert(make(n, 0), make(n, 1), 17, 0);
      ASSERT_EQ(record != nullptr, model.size() < 20000);
      if (record) model[n] = record;
    }
    const auto probe = static_cast<uint32_t>(random() % 30000);
    const auto expected = model.find(probe);
    const auto ref = lookup(table, make(probe, static_cast<int>(random() % 2)), 17);
    ASSERT_EQ(static_cast<bool>(ref), expected != model.end())
        << "seed " << seed << " step " << step;
    if (ref) {
      ASSERT_EQ(&table[ref], expected->second);
    }
  }
  for (const auto& [n, record] : model) {
    ASSERT_EQ(&table[lookup(table, make(n, 0), 17)], record);
    ASSERT_EQ(&table[lookup(table, make(n, 1), 17)], record);
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [n, record] : model) table.erase(*record);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_GT(table.memory(), memory);
}

TEST(SessionTable, RandomChangesAgreeWithAMapIPv4) {
  for (uint64_t seed = 1; seed <= 4; ++seed)
    compare_with_map<Tuple4>(
        [](uint32_t n, int direction) {
          return direction == 0 ? Tuple4{n % 100, n / 100, 1, 2}
                                : Tuple4{n / 100 + 1000, n % 100, 2, 1};
        },
        seed);
}

TEST(SessionTable, RandomChangesAgreeWithAMapIPv6) {
  for (uint64_t seed = 1; seed <= 2; ++seed)
    compare_with_map<Tuple6>(
        [](uint32_t n, int direction) {
          Tuple6 tuple;
          std::memcpy(tuple.source.data() + 12, &n, 4);
          tuple.destination[0] = static_cast<uint8_t>(1 + direction);
          return tuple;
        },
        seed);
}

// However badly hashes fall, nothing is lost.
TEST(FlowIndex, HoldsManyReferencesOfOneHash) {
  FlowIndex index(2000);
  struct {
    void prefetch(uint32_t) const {}
    uint64_t hash(uint32_t) const { return 42; }
  } const records;
  for (uint32_t reference = 1; reference <= 2000; ++reference)
    ASSERT_TRUE(index.insert(42, reference, records));
  for (uint32_t reference = 1; reference <= 2000; ++reference)
    ASSERT_EQ(index.find(42, [&](uint32_t r) { return r == reference; }), reference);
  const auto memory = index.memory();
  for (uint32_t reference = 1; reference <= 2000; ++reference)
    ASSERT_TRUE(index.erase(42, reference));
  EXPECT_EQ(index.size(), 0U);
  EXPECT_LT(index.memory(), memory) << "overflow buckets are given back";
  EXPECT_FALSE(index.erase(42, 7));
}

TEST(Session, CountsBytesBeyond32Bits) {
  Session4 record{};
  record.bytes_low[1] = UINT32_MAX;
  record.count(FlowDirection::reverse, 1);
  EXPECT_EQ(record.bytes(FlowDirection::reverse), uint64_t{1} << 32);
  EXPECT_EQ(record.bytes(FlowDirection::forward), 0U);
  EXPECT_EQ(record.packets[1], 1U);
}

}  // namespace
}  // namespace margay::vector
