#include "base/secret_hash.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

namespace margay::base {
namespace {

TEST(SecretHash, TellsApartWhatDiffersAndAgreesWithItself) {
  const SecretHash hash;
  std::set<uint64_t> seen;
  std::string text;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(hash(text), hash(std::string(text)));
    EXPECT_TRUE(seen.insert(hash(text)).second) << text.size();
    text += static_cast<char>(i % 3);  // zeros too: "\0" is not ""
  }
  for (int i = 0; i < 100'000; ++i)
    EXPECT_TRUE(seen.insert(hash("team-" + std::to_string(i))).second) << i;
}

// Two that agree under one secret do not under the next.
TEST(SecretHash, IsAnotherEachTime) { EXPECT_NE(SecretHash()("app"), SecretHash()("app")); }

}  // namespace
}  // namespace margay::base
