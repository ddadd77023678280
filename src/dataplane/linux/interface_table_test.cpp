// Which of the kernel's events are news, on values; and the monitor against a real kernel.

#include "dataplane/linux/interface_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "dataplane/linux/interface_monitor.h"
#include "net/testing/scratch_namespace.h"

namespace margay::dataplane::linux_host {
namespace {

using base::IPAddress;
using testing::ElementsAre;
using testing::IsEmpty;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }

// What was told, as text: "eth0 up 192.0.2.1", "-eth0".
class Told final : public InterfaceSource::Listener {
 public:
  void on_interfaces(const std::vector<Interface>& all) override {
    note("all");
    for (const auto& interface : all) note(text_of(interface));
  }
  void on_interface(const Interface& interface) override { note(text_of(interface)); }
  void on_interface_removed(const std::string& name) override { note("-" + name); }

  std::vector<std::string> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(lines_, {});
  }
  bool hears(const std::string& line) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return std::ranges::count(lines_, line) > 0; });
  }

 private:
  static std::string text_of(const Interface& interface) {
    std::string out = interface.name + (interface.up ? " up" : " down");
    for (const auto& [address, length] : interface.addresses) out += " " + address.to_string();
    return out;
  }
  void note(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

struct InterfaceTableTest : testing::Test {
  InterfaceTable table;
  Told told;

  void link(int index, const char* name, bool up, uint32_t mtu = 1500) {
    table.on_event(net::LinkEvent{{.index = index, .name = name, .up = up, .mtu = mtu}, false},
                   told);
  }
  void no_link(int index, const char* name) {
    table.on_event(net::LinkEvent{{.index = index, .name = name}, true}, told);
  }
  void address(int index, const char* text, bool removed = false) {
    table.on_event(
        net::AddressEvent{{.link = index, .address = ip(text), .prefix_length = 24}, removed},
        told);
  }
};

TEST_F(InterfaceTableTest, AnEventThatRepeatsWhatIsKnownIsNoNews) {
  link(2, "eth0", true);
  told.take();
  link(2, "eth0", true);
  address(2, "192.0.2.1", true);
  EXPECT_THAT(told.take(), IsEmpty());
}

TEST_F(InterfaceTableTest, EachStateOnTheWayIsTold) {
  link(2, "cali1", true);
  link(2, "cali1", false);
  link(2, "cali1", true);
  EXPECT_THAT(told.take(), ElementsAre("cali1 up", "cali1 down", "cali1 up"));
}

TEST_F(InterfaceTableTest, AddressesAreToldWithTheirInterface) {
  link(2, "eth0", true);
  address(2, "192.0.2.2");
  address(2, "192.0.2.1");
  address(2, "192.0.2.1");
  address(2, "192.0.2.2", true);
  address(9, "192.0.2.9");
  EXPECT_THAT(told.take(), ElementsAre("eth0 up", "eth0 up 192.0.2.2",
                                       "eth0 up 192.0.2.2 192.0.2.1", "eth0 up 192.0.2.1"));
}

TEST_F(InterfaceTableTest, AnotherNameIsAnotherInterface) {
  link(2, "tmp0", false);
  address(2, "192.0.2.1");
  told.take();
  link(2, "cali1", false);
  no_link(2, "cali1");
  no_link(2, "cali1");
  EXPECT_THAT(told.take(), ElementsAre("-tmp0", "cali1 down 192.0.2.1", "-cali1"));
}

TEST_F(InterfaceTableTest, AnInterfaceMadeAnewIsTold) {
  link(2, "cali1", true);
  no_link(2, "cali1");
  link(3, "cali1", true);
  EXPECT_THAT(told.take(), ElementsAre("cali1 up", "-cali1", "cali1 up"));
}

TEST_F(InterfaceTableTest, AListReplacesWhatWasKnown) {
  link(2, "eth0", true);
  table.reset(std::vector<net::Link>{{.index = 3, .name = "eth1", .up = true}},
              std::vector<net::InterfaceAddress>{
                  {.link = 3, .address = ip("192.0.2.1"), .prefix_length = 25},
                  {.link = 2, .address = ip("192.0.2.2"), .prefix_length = 24}});
  ASSERT_EQ(table.interfaces().size(), 1U);
  EXPECT_EQ(
      table.interfaces()[0],
      (Interface{.name = "eth1", .index = 3, .up = true, .addresses = {{ip("192.0.2.1"), 25}}}));
}

TEST(InterfaceMonitorTest, TellsWhatHappensInItsNamespace) {
  if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
  const net::testing::ScratchNamespace scratch("mt-interfaces");
  auto socket = scratch.socket();
  Told told;
  InterfaceMonitor monitor;
  ASSERT_TRUE(scratch.get().run([&] { return monitor.start(told); }));
  EXPECT_TRUE(told.hears("all"));
  ASSERT_TRUE(net::create_veth(socket, {.near = {"cali1", {}}, .far = {"peer", {}}}));
  EXPECT_TRUE(told.hears("cali1 down"));
  ASSERT_TRUE(net::add_address(socket, {.link = net::get_link(socket, "cali1")->index,
                                        .address = ip("192.0.2.1"),
                                        .prefix_length = 24}));
  EXPECT_TRUE(told.hears("cali1 down 192.0.2.1"));
  ASSERT_TRUE(net::change_link(socket, "cali1", {.up = true}));
  EXPECT_TRUE(told.hears("cali1 up 192.0.2.1"));
  ASSERT_TRUE(net::delete_link(socket, "cali1"));
  EXPECT_TRUE(told.hears("-cali1"));
}

}  // namespace
}  // namespace margay::dataplane::linux_host
