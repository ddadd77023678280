#include "node/remembered_settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace margay::node {
namespace {

TEST(RememberedSettings, AreThoseTheDatastoreLastHad) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("margay-remembered-" + std::to_string(getpid()));
  const base::NodeState state{.lib = directory, .run = directory};
  EXPECT_TRUE(remembered_settings(state).empty()) << "the first boot";
  const std::vector<Settings> stored{{{"interfacePrefix", "tap"}}, {{"logPrefix", "a \"b\"\n"}}};
  ASSERT_TRUE(remember_settings(state, stored));
  EXPECT_EQ(remembered_settings(state), stored);
  for (const char* text : {"", "{}", "[1]", "[{\"a\":1}]", "[{\"a\":\"b\"}"}) {
    ASSERT_TRUE(base::write_file(directory / "felix-settings", text));
    EXPECT_TRUE(remembered_settings(state).empty()) << text;
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace margay::node
