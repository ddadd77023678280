#include "vector/service/affinity_table.h"

#include <gtest/gtest.h>

namespace margay::vector {
namespace {

AffinityKey client(uint32_t number, uint32_t service = 1) {
  AffinityKey key{.service_serial = service};
  std::memcpy(key.client.data(), &number, sizeof number);
  return key;
}

class AffinityTableTest : public ::testing::Test {
 protected:
  void remember(const AffinityKey& key, uint16_t port, uint64_t now_ms, uint64_t until_ms) {
    table_.remember(key, table_.hash(key), {.port = port}, now_ms, until_ms);
  }
  // The port of the client's backend; 0 when nothing is known.
  uint16_t port(const AffinityKey& key, uint64_t now_ms) {
    const auto* const found = table_.find(key, table_.hash(key), now_ms);
    return found ? found->port : uint16_t{0};
  }
  AffinityTable table_{8, 1};  // one bucket
};

TEST_F(AffinityTableTest, AClientIsRememberedForItsServiceAndFamilyUntilItsTimeIsUp) {
  remember(client(1), 80, 0, 100);
  EXPECT_EQ(port(client(1), 99), 80);
  EXPECT_EQ(port(client(1), 100), 0);
  EXPECT_EQ(port(client(2), 0), 0);
  EXPECT_EQ(port(client(1, 2), 0), 0);
  auto other_family = client(1);
  other_family.family = 6;
  EXPECT_EQ(port(other_family, 0), 0);
}

TEST_F(AffinityTableTest, RememberingAgainReplaces) {
  for (uint16_t i = 1; i <= 100; ++i) remember(client(1), i, 0, 100U + i);
  EXPECT_EQ(port(client(1), 199), 100);
  EXPECT_EQ(table_.evictions(), 0U);
}

TEST_F(AffinityTableTest, AFullTableGivesUpWhatHasExpiredFirst) {
  for (uint32_t i = 0; i < 8; ++i) remember(client(i), 80, 0, i == 5 ? 10 : 1000);
  remember(client(8), 80, 10, 1000);
  for (uint32_t i = 0; i < 9; ++i) EXPECT_EQ(port(client(i), 10), i == 5 ? 0 : 80) << i;
  EXPECT_EQ(table_.evictions(), 0U);
}

TEST_F(AffinityTableTest, ThenWhatWasNotAskedForSinceTheHandCameBy) {
  for (uint32_t i = 0; i < 8; ++i) remember(client(i), 80, 0, 1000);
  remember(client(8), 80, 0, 1000);  // the hand goes round once, and takes the first
  EXPECT_EQ(port(client(0), 0), 0);
  EXPECT_EQ(port(client(1), 0), 80);  // asked for
  remember(client(9), 80, 0, 1000);
  EXPECT_EQ(port(client(1), 0), 80);
  EXPECT_EQ(port(client(2), 0), 0);
  EXPECT_EQ(table_.evictions(), 2U);
}

}  // namespace
}  // namespace margay::vector
