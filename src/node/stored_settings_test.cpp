// FelixConfiguration in the datastore, readable or not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/agent.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct StoredSettings : testing::Test {
  store::testing::TemporaryFolder folder;
  std::unique_ptr<store::Store> store =
      store::sqlite::SqliteStore::open({.path = folder.file("db")}).value();
  const Settings tap{{"interfacePrefix", "tap"}}, quiet{{"logPrefix", "quiet"}};

  void put(const char* name, const char* object) {
    ASSERT_TRUE(store->create({"felixconfigurations.projectcalico.org", "", name}, object));
  }
  void put_bgp(const char* object) {
    ASSERT_TRUE(store->create({"bgpconfigurations.projectcalico.org", "", "default"}, object));
  }
};

TEST_F(StoredSettings, AreTheNodesBeforeTheGlobalOnes) {
  put("default", R"({"metadata":{"name":"default"},"spec":{"interfacePrefix":"tap"}})");
  put("node.other", R"({"metadata":{"name":"node.other"},"spec":{"interfacePrefix":"other"}})");
  EXPECT_THAT(*settings_from_store(*store, "node-a", {}), ElementsAre(Settings{}, tap, Settings{}));
}

TEST_F(StoredSettings, ThatCannotBeReadAreWhatTheyWereLast) {
  for (const char* unreadable : {"not JSON", "[]", R"({"metadata":{"name":7},"spec":{}})"}) {
    SCOPED_TRACE(unreadable);
    put("default", unreadable);
    put("node.node-a", R"({"metadata":{"name":"node.node-a"},"spec":{"logPrefix":"quiet"}})");
    EXPECT_THAT(*settings_from_store(*store, "node-a", {{{"logPrefix", "old"}}, tap}),
                ElementsAre(quiet, tap, Settings{}));
    for (const char* name : {"default", "node.node-a"})
      ASSERT_TRUE(store->remove({"felixconfigurations.projectcalico.org", "", name}, std::nullopt));
  }
}

TEST_F(StoredSettings, SayWhereServicesHaveTheirAddresses) {
  put_bgp(R"({"metadata":{"name":"default"},"spec":{
      "serviceClusterIPs":[{"cidr":"10.96.0.0/12"},{"cidr":"fd96::/108"}],
      "serviceExternalIPs":[{"cidr":"198.51.100.0/24"}],
      "serviceLoadBalancerIPs":[{"cidr":"203.0.113.0/24"}]}})");
  const auto settings = settings_from_store(*store, "node-a", {}).value();
  ASSERT_EQ(settings.size(), 3U);
  const auto resolved = resolve(settings).value();
  EXPECT_THAT(resolved.warnings, testing::IsEmpty());
  const auto net = [](const char* text) { return *base::Prefix::parse(text); };
  EXPECT_THAT(resolved.parameters.service_networks,
              ElementsAre(net("10.96.0.0/12"), net("fd96::/108"), net("198.51.100.0/24"),
                          net("203.0.113.0/24")));
}

TEST_F(StoredSettings, OfServicesThatCannotBeReadSayNothing) {
  put_bgp("not JSON");
  EXPECT_THAT(*settings_from_store(*store, "node-a", {}),
              ElementsAre(Settings{}, Settings{}, Settings{}));
}

// Not the defaults: the interfaces of this cluster's workloads may begin with something else.
TEST_F(StoredSettings, OfWhichNothingIsKnownKeepTheNodeClosed) {
  put("default", "not JSON");
  const auto settings = settings_from_store(*store, "node-a", {});
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, base::ErrorCode::unavailable) << "which is tried again";
  EXPECT_THAT(settings.error().message, HasSubstr("FelixConfiguration default cannot be read"));
}

}  // namespace
}  // namespace margay::node
