#include "vector/service/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "vector/service/flow_hash.h"

namespace margay::vector {
namespace {

std::vector<BackendIdentity> backends(size_t count, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<BackendIdentity> set;
  while (set.size() < count) {
    set.push_back({base::IPAddress::v4(static_cast<uint32_t>(random())), 8080});
    std::ranges::sort(set);
    set.erase(std::unique(set.begin(), set.end()), set.end());
  }
  return set;
}

// Section 3.4's pseudocode, with our permutations.
std::vector<uint16_t> as_in_the_paper(const std::vector<BackendIdentity>& set) {
  std::vector<uint64_t> next(set.size());
  std::vector<int> entry(k_maglev_size, -1);
  std::vector<MaglevPermutation> permutation;
  permutation.reserve(set.size());
  for (const auto& each : set) permutation.push_back(maglev_permutation(each));
  for (size_t n = 0; n < k_maglev_size;) {
    for (size_t i = 0; i < set.size() && n < k_maglev_size; ++i, ++n) {
      while (entry[permutation[i].slot(next[i])] >= 0) ++next[i];
      entry[permutation[i].slot(next[i])] = static_cast<int>(i);
      ++next[i];
    }
  }
  return {entry.begin(), entry.end()};
}

// In slots: those that changed hands though their owner stayed.
size_t moved_beyond_its_own(const std::vector<BackendIdentity>& before, size_t gone) {
  auto after = before;
  after.erase(after.begin() + static_cast<ptrdiff_t>(gone));
  const auto old_owners = build_maglev(before), new_owners = build_maglev(after);
  size_t moved = 0;
  for (uint32_t slot = 0; slot < k_maglev_size; ++slot)
    moved += old_owners[slot] != gone && before[old_owners[slot]] != after[new_owners[slot]];
  return moved;
}

constexpr double k_percent = k_maglev_size / 100.0;

TEST(Maglev, APermutationComesToEverySlotOnce) {
  for (uint32_t skip : {1U, 2U, 3U, 40'000U, k_maglev_size - 1}) {
    std::vector<bool> seen(k_maglev_size);
    for (uint64_t k = 0; k < k_maglev_size; ++k)
      seen[MaglevPermutation{12'345, skip}.slot(k)] = true;
    EXPECT_EQ(std::ranges::count(seen, true), k_maglev_size) << "skip " << skip;
  }
}

TEST(Maglev, FillsTheTableAsThePaperSays) {
  for (const size_t count : {1, 2, 3, 4, 5, 16, 17, 100, 256, 257, 1000}) {
    const auto set = backends(count);
    EXPECT_EQ(build_maglev(set), as_in_the_paper(set)) << count << " backends";
  }
}

TEST(Maglev, AHundredBackendsAreWithinOnePercentOfEven) {
  const auto owners = build_maglev(backends(100));
  std::vector<size_t> load(100);
  for (const auto each : owners) ++load[each];
  const double even = k_maglev_size / 100.0;
  EXPECT_LE(static_cast<double>(std::ranges::max(load)), 1.01 * even);
  EXPECT_GE(static_cast<double>(std::ranges::min(load)), 0.99 * even);
}

TEST(Maglev, NoBackendHasMoreThanOneSlotMoreThanAnother) {
  for (const size_t count : {2, 3, 7, 64, 655, 3000}) {
    std::vector<size_t> load(count);
    for (const auto each : build_maglev(backends(count))) ++load[each];
    EXPECT_LE(std::ranges::max(load) - std::ranges::min(load), 1U) << count << " backends";
  }
}

TEST(Maglev, WhenOneOfAHundredGoesAtMostOnePercentMovesBeyondItsOwn) {
  const auto set = backends(100);
  for (size_t gone = 0; gone < set.size(); ++gone)
    EXPECT_LE(static_cast<double>(moved_beyond_its_own(set, gone)), k_percent) << gone;
}

// Among them those where an entry gets a bit narrower: that moves nothing more. Few backends need
// many sets: what goes wrong there is rare.
TEST(Maglev, WhenOneOfAnyNumberGoesAtMostOnePercentMovesBeyondItsOwn) {
  for (const size_t count : {2, 3, 4, 5, 6, 10, 16, 17, 18, 50, 200, 256, 257, 258, 500, 1000})
    for (uint64_t seed = 1; seed <= 4; ++seed)
      ASSERT_LE(static_cast<double>(moved_beyond_its_own(backends(count, seed), seed % count)),
                k_percent)
          << count << " backends, seed " << seed;
}

// With k in the place of its cube, two of these would meet all along, and 3.4 % move.
TEST(Maglev, BackendsWhoseSkipsAreRelatedDoNotMeetAllAlong) {
  const auto set = backends(4, 527);
  for (size_t gone = 0; gone < set.size(); ++gone)
    EXPECT_LE(static_cast<double>(moved_beyond_its_own(set, gone)), k_percent) << gone;
}

TEST(Maglev, APackedTableSaysTheSame) {
  MaglevTables tables;
  for (const size_t count : {1, 2, 3, 4, 5, 16, 17, 256, 257}) {
    const auto set = backends(count);
    const auto table = tables.get(set);
    const auto owners = build_maglev(set);
    for (uint32_t slot = 0; slot < k_maglev_size; ++slot)
      ASSERT_EQ(table->at(slot), owners[slot]) << count << " backends, slot " << slot;
  }
}

TEST(Maglev, EntriesAreAsNarrowAsTheNumberOfBackendsAllows) {
  MaglevTables tables;
  const std::vector<std::pair<size_t, int>> bits = {{1, 1},  {2, 1},  {3, 2},   {4, 2},   {5, 4},
                                                    {16, 4}, {17, 8}, {256, 8}, {257, 16}};
  for (const auto& [count, expected] : bits)
    EXPECT_EQ(1 << tables.get(backends(count))->log2_bits, expected) << count << " backends";
}

TEST(Maglev, EqualSetsShareATableWhileItIsInUse) {
  MaglevTables tables;
  const auto first = tables.get(backends(3, 1));
  EXPECT_EQ(tables.get(backends(3, 1)), first);
  EXPECT_NE(tables.get(backends(3, 2)), first);
  EXPECT_EQ(tables.get(backends(1, 1)), tables.get(backends(1, 2))) << "one backend is one backend";
}

TEST(Maglev, RoomOfTablesThatWentIsUsedAgain) {
  MaglevTables tables;
  tables.get(backends(5));
  const size_t bytes = tables.bytes();
  for (uint64_t seed = 0; seed < 400; ++seed) tables.get(backends(5, seed));
  EXPECT_EQ(tables.tables_built(), 401U);
  EXPECT_EQ(tables.bytes(), bytes);
}

TEST(Maglev, ATableMayOutliveItsMaker) {
  auto tables = std::make_unique<MaglevTables>();
  const auto table = tables->get(backends(3));
  tables.reset();
  EXPECT_LT(table->at(k_maglev_size - 1), 3U);
}

// All nodes of a cluster must agree, also while some run another version: these values are for
// good.
TEST(Maglev, HashesAreThoseOfAllNodes) {
  const auto address = *base::IPAddress::parse("10.1.2.3");
  const auto permutation = maglev_permutation({address, 8080});
  EXPECT_EQ(permutation.offset, 7730U);
  EXPECT_EQ(permutation.skip, 16428U);
  EXPECT_EQ(permutation.slot(1000), 62473U);
  const FlowTuple flow{.client = address_bytes(*base::IPAddress::parse("192.0.2.1")),
                       .service = address_bytes(*base::IPAddress::parse("10.96.0.10")),
                       .client_port = 40000,
                       .service_port = 53,
                       .protocol = 17};
  EXPECT_EQ(hash_flow(flow, hash_service_address(flow.service)), 0x6f5082db6059686dU);
  EXPECT_EQ(hash_client(flow.client, 4), 0x90b6ce687169d1f6U);
}

TEST(Maglev, TheFlowHashDependsOnEachFieldAndOnTheDirection) {
  const FlowTuple flow{.client = {10, 0, 0, 1},
                       .service = {10, 0, 0, 2},
                       .client_port = 1000,
                       .service_port = 2000,
                       .protocol = 6};
  const auto hash = [](const FlowTuple& each) {
    return hash_flow(each, hash_service_address(each.service));
  };
  std::vector<FlowTuple> others(7, flow);
  others[0].client[3] ^= 1;
  others[1].service[3] ^= 1;
  others[2].client_port ^= 1;
  others[3].service_port ^= 1;
  others[4].protocol = 17;
  others[5].family = 6;
  std::swap(others[6].client, others[6].service);
  std::swap(others[6].client_port, others[6].service_port);
  for (const auto& each : others) EXPECT_NE(hash(each) >> 32, hash(flow) >> 32);
}

// Counting clients, counting ports: what real traffic looks like must spread like chance does.
TEST(Maglev, FlowsThatDifferLittleSpreadEvenly) {
  const std::vector<std::pair<const char*, void (*)(FlowTuple*, uint32_t)>> ways = {
      {"ports", [](FlowTuple* f, uint32_t i) { f->client_port = static_cast<uint16_t>(i); }},
      {"IPv4 clients",
       [](FlowTuple* f, uint32_t i) {
         f->client[3] = static_cast<uint8_t>(i);
         f->client[2] = static_cast<uint8_t>(i >> 8);
       }},
      {"IPv6 clients", [](FlowTuple* f, uint32_t i) {
         f->family = 6;
         f->client[15] = static_cast<uint8_t>(i);
         f->client[7] = static_cast<uint8_t>(i >> 8);
       }}};
  constexpr uint32_t k_flows = 1 << 16;
  constexpr size_t k_cells = 256;
  for (const auto& [name, vary] : ways) {
    std::vector<double> cells(k_cells);
    for (uint32_t i = 0; i < k_flows; ++i) {
      FlowTuple flow{.client = {10, 7},
                     .service = {10, 96, 0, 1},
                     .client_port = 1000,
                     .service_port = 80,
                     .protocol = 6};
      vary(&flow, i);
      const auto hash = hash_flow(flow, hash_service_address(flow.service));
      ++cells[maglev_slot(hash) * k_cells / k_maglev_size];
    }
    double chi_squared = 0;
    for (const auto each : cells) chi_squared += (each - 256) * (each - 256) / 256;
    // 255 degrees of freedom: mean 255, deviation 22.6.
    EXPECT_NEAR(chi_squared, 255, 5 * 22.6) << name;
  }
}

}  // namespace
}  // namespace margay::vector
