#include "lab/layout.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace margay::lab {
namespace {

std::filesystem::path fresh_directory() {
  std::string path = "/tmp/mt-lab-layout-XXXXXX";
  return mkdtemp(path.data());
}

TEST(Layout, NamesDependOnTheDirectoryAlone) {
  const auto one = Layout::at("/run/a").value();
  EXPECT_EQ(one.node_namespace("node1"), Layout::at("/run/a/").value().node_namespace("node1"));
  EXPECT_EQ(one.id, Layout::at("/run/../run/./a").value().id);
  EXPECT_NE(one.id, Layout::at("/run/b").value().id);
  EXPECT_TRUE(one.pod_namespace("0123456789abcdef").starts_with(one.namespace_prefix()));
  EXPECT_TRUE(one.underlay_namespace().starts_with(one.namespace_prefix()));
}

TEST(Layout, ASymbolicLinkIsTheDirectoryItLeadsTo) {
  const auto directory = fresh_directory();
  std::filesystem::create_directory(directory / "real");
  std::filesystem::create_directory_symlink(directory / "real", directory / "link");
  EXPECT_EQ(Layout::at(directory / "link").value().id, Layout::at(directory / "real").value().id);
  std::filesystem::remove_all(directory);
}

TEST(Layout, RefusesWhatWouldBeDangerous) {
  EXPECT_FALSE(Layout::at(""));
  EXPECT_FALSE(Layout::at("/"));
  EXPECT_FALSE(Layout::at("/run/.."));
}

TEST(Layout, NodesAreNumberedFromOne) {
  EXPECT_EQ(node_number(node_name(1)), 1);
  EXPECT_EQ(node_number(node_name(k_max_nodes)), k_max_nodes);
  EXPECT_FALSE(node_number("node0"));
  EXPECT_FALSE(node_number("underlay"));
}

TEST(Layout, EveryNodeHasAddressesOfItsOwnOnTheUnderlay) {
  const base::Prefix network(underlay_v4(0).address, underlay_v4(0).prefix_length);
  std::set<base::IPAddress> seen;
  for (int number = 0; number <= k_max_nodes; ++number) {
    EXPECT_TRUE(network.contains(underlay_v4(number).address));
    EXPECT_TRUE(seen.insert(underlay_v4(number).address).second);
    EXPECT_TRUE(seen.insert(underlay_v6(number).address).second);
  }
  EXPECT_EQ(underlay_v4(1).address.to_string(), "172.18.0.11");
  EXPECT_EQ(underlay_v6(0).address.to_string(), "fd00:172:18::1");
}

TEST(Settings, AreReadAsTheyWereWritten) {
  const auto layout = Layout::at(fresh_directory()).value();
  const Settings written{
      .nodes = 3, .dataplane = "iptables", .ipv6 = true, .record = true, .api_port = 40001};
  ASSERT_TRUE(written.save(layout));
  const auto read = Settings::load(layout).value();
  EXPECT_EQ(read.nodes, 3);
  EXPECT_TRUE(read.record);
  EXPECT_EQ(read.dataplane, "iptables");
  EXPECT_TRUE(read.ipv6);
  EXPECT_EQ(read.api_port, 40001);
  std::filesystem::remove_all(layout.directory);
}

TEST(Settings, SayThatThereIsNoLab) {
  const auto layout = Layout::at("/tmp/mt-lab-nothing-here").value();
  const auto read = Settings::load(layout);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, base::ErrorCode::not_found);
  EXPECT_NE(read.error().message.find("margay lab up"), std::string::npos);
}

}  // namespace
}  // namespace margay::lab
