#include "node/mtu.h"

#include <gtest/gtest.h>

#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::node {
namespace {

using dataplane::Interface;

base::IPAddress ip(const char* text) { return *base::IPAddress::parse(text); }

Interface link(const char* name, uint32_t mtu, bool up = true,
               const char* address = "198.51.100.1") {
  return {.name = name, .up = up, .mtu = mtu, .addresses = {{ip(address), 24}}};
}

uint32_t uplink_mtu(const std::vector<Interface>& interfaces, const std::string& pattern,
                    const std::vector<base::IPAddress>& node) {
  UplinkMtu uplink(pattern, node);
  uplink.on_interfaces(interfaces);
  return uplink.value();
}

TEST(UplinkMtu, IsTheSmallestOfTheUplinks) {
  const std::vector<base::IPAddress> node{ip("192.0.2.1")};
  const std::string pattern = Parameters{}.mtu_interface_pattern;
  struct Case {
    const char* name;
    std::vector<Interface> interfaces;
    uint32_t expected;
  };
  const Case cases[] = {
      {"an ordinary host", {link("lo", 65536), link("eth0", 1500)}, 1500},
      {"a cloud's", {link("ens4", 1460), link("docker0", 1200)}, 1460},
      {"jumbo frames", {link("enp1s0f0", 9001), link("eno1", 8900)}, 8900},
      {"one that is down does not count", {link("eth0", 1500), link("eth1", 576, false)}, 1500},
      {"our own devices do not count",
       {link("eth0", 1500), link("vxlan.calico", 1450), link("cali1", 1400)},
       1500},
      {"the node's own address is on an uplink of any name",
       {link("eth0", 9000), link("bond0", 1492, true, "192.0.2.1")},
       1492},
      {"nothing to go by", {link("lo", 65536)}, 1460},
      {"no interface at all", {}, 1460},
  };
  for (const auto& [name, interfaces, expected] : cases)
    EXPECT_EQ(uplink_mtu(interfaces, pattern, node), expected) << name;
  EXPECT_EQ(uplink_mtu({link("eth0", 1500), link("tun7", 1300)}, "^tun", node), 1300);
  EXPECT_EQ(uplink_mtu({link("eth0", 1500)}, "", node), 1460) << "no pattern, no uplink";
}

TEST(UplinkMtu, SaysWhenItChanges) {
  int changes = 0;
  UplinkMtu uplink("^eth", {}, [&] { ++changes; });
  uplink.on_interfaces({link("eth0", 1460), link("lo", 65536)});
  EXPECT_EQ(changes, 0) << "1460 is what was assumed before";
  uplink.on_interface(link("cali1", 1300));
  uplink.on_interface(link("eth1", 9000));
  EXPECT_EQ(changes, 0) << "the smallest is the same";
  uplink.on_interface(link("eth0", 1500));
  EXPECT_EQ(uplink.value(), 1500);
  uplink.on_interface_removed("eth0");
  EXPECT_EQ(uplink.value(), 9000);
  EXPECT_EQ(changes, 2);
}

// A cable that is pulled, a daemon that sets the link down and up again, a link that is made anew.
TEST(UplinkMtu, StaysWhenAnUplinkGoesDown) {
  int changes = 0;
  UplinkMtu uplink("^eth", {}, [&] { ++changes; });
  uplink.on_interfaces({link("eth0", 1400), link("eth1", 9000)});
  changes = 0;
  uplink.on_interface(link("eth0", 1400, false));
  uplink.on_interfaces({link("eth0", 1400, false), link("eth1", 9000, false)});
  uplink.on_interfaces({link("eth0", 1400, false), link("eth1", 9000)});
  EXPECT_EQ(uplink.value(), 1400);
  uplink.on_interface_removed("eth1");
  uplink.on_interface_removed("eth0");
  EXPECT_EQ(uplink.value(), 1400) << "nothing better is known";
  EXPECT_EQ(changes, 0);
  uplink.on_interface(link("eth0", 1300));
  EXPECT_EQ(uplink.value(), 1300);
  EXPECT_EQ(changes, 1);
}

TEST(WorkloadMtu, LeavesRoomForWhatIsInUse) {
  struct Case {
    const char* name;
    uint32_t uplink;
    Parameters parameters;
    Encapsulations used;
    uint32_t vxlan, workload;
  };
  const Case cases[] = {
      {"none", 1500, {}, {}, 1450, 1500},
      {"VXLAN on a cloud", 1460, {}, {.vxlan_v4 = true}, 1410, 1410},
      {"VXLAN of IPv6", 1500, {}, {.vxlan_v6 = true}, 1450, 1430},
      {"both families", 1500, {}, {.vxlan_v4 = true, .vxlan_v6 = true}, 1450, 1430},
      {"IPIP", 1500, {}, {.ipip = true}, 1450, 1480},
      {"IPIP beside VXLAN", 1500, {}, {.vxlan_v4 = true, .ipip = true}, 1450, 1450},
      {"VXLANMTU decides", 1500, {.vxlan_mtu = 1400}, {.vxlan_v4 = true}, 1400, 1400},
      {"VXLANEnabled without a pool", 1500, {.vxlan_enabled = true}, {}, 1450, 1450},
      {"an uplink too small to be true", 70, {}, {.vxlan_v4 = true}, 68, 68},
  };
  for (const auto& [name, uplink, parameters, used, vxlan, workload] : cases) {
    EXPECT_EQ(vxlan_mtu(uplink, parameters), vxlan) << name;
    EXPECT_EQ(workload_mtu(uplink, parameters, used), workload) << name;
  }
}

TEST(WorkloadMtu, APoolThatCannotBeReadCountsAsOneThatAsksForEverything) {
  const store::testing::TemporaryFolder folder;
  const auto store = store::sqlite::SqliteStore::open({.path = folder.file("store.db")}).value();
  const auto add_pool = [&](const std::string& name, const std::string& spec) {
    ASSERT_TRUE(store->create(
        {"ippools.projectcalico.org", "", name},
        R"({"apiVersion":"projectcalico.org/v3","kind":"IPPool","metadata":{"name":")" + name +
            R"("},"spec":)" + spec + "}"));
  };
  add_pool("good", R"({"cidr":"10.65.0.0/16","vxlanMode":"Always"})");
  auto used = encapsulations_in_use(*store);
  ASSERT_TRUE(used);
  EXPECT_TRUE(used->vxlan_v4 && !used->vxlan_v6 && !used->ipip);
  for (const auto* spec : {R"({"cidr":"10.66.0.0/33"})", R"({"cidr":7})", "7"}) {
    add_pool("bad", spec);
    used = encapsulations_in_use(*store);
    ASSERT_TRUE(used) << spec << ": " << used.error().message;
    EXPECT_TRUE(used->vxlan_v4 && used->vxlan_v6 && used->ipip) << spec;
    ASSERT_TRUE(store->remove({"ippools.projectcalico.org", "", "bad"}, std::nullopt));
  }
}

}  // namespace
}  // namespace margay::node
