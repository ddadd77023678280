// A data plane that has nothing to do writes nothing: each write to a link, an address or a route
// comes back to the agent as an event, and an event that leads to a write never ends.

#include <gmock/gmock.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/unique_fd.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/iptables/recording_commands.h"
#include "dataplane/testing/kernel_fixture.h"
#include "net/interface_address.h"
#include "net/sysctl.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Encapsulation;
using policy::IPAddress;
using policy::Prefix;
using policy::ProgramRoute;
using testing::HasSubstr;
using testing::IsEmpty;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net(const char* text) { return *Prefix::parse(text); }

// What the kernel says of changes to its links, addresses, routes and neighbours. It says so
// before the request that makes the change returns.
class KernelEvents {
 public:
  KernelEvents() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const sockaddr_nl any{.nl_family = AF_NETLINK};
    bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any);
    for (const int group : {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                            RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE})
      setsockopt(socket_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  }

  struct Taken {
    size_t all = 0;
    std::vector<net::Link> links;
  };
  Taken take() {
    Taken taken;
    alignas(nlmsghdr) std::array<char, 65536> chunk;
    for (ssize_t got; (got = recv(socket_.get(), chunk.data(), chunk.size(), 0)) > 0;) {
      auto left = static_cast<unsigned>(got);
      for (const auto* message = reinterpret_cast<const nlmsghdr*>(chunk.data());
           NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        ++taken.all;
        if (message->nlmsg_type != RTM_NEWLINK) continue;
        if (auto link = net::parse_link(*message)) taken.links.push_back(*std::move(link));
      }
    }
    return taken;
  }

 private:
  base::UniqueFd socket_;
};

struct PoolCase {
  const char* name;
  std::optional<Encapsulation> vxlan;  // of a pool; nothing: there is none
  bool same_subnet;                    // of us and the other node
};

class IdleTest : public KernelTest, public testing::WithParamInterface<PoolCase> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    events_.emplace();
    // What the kernel does of its own accord, later, is not ours.
    ASSERT_TRUE(net::write_sysctl("net/ipv6/conf/default/accept_dad", "0"));
    ASSERT_TRUE(net::write_sysctl("net/ipv6/conf/default/addr_gen_mode", "1"));
    for (const char* name : {"uplink", "cali1", "bystander"}) add_interface(name);
    ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                            .address = ip("192.0.2.1"),
                                            .prefix_length = 24}));
    auto commands = system_commands(Backend::nft, {});
    ASSERT_TRUE(commands);
    plane_ = std::move(*IptablesDataPlane::create(
        {.node = "node"},
        std::make_unique<RecordingCommands>(std::move(commands->chosen), written_), true));
    for (const auto& delta : program()) plane_->on_delta(delta);
  }

  static std::vector<policy::Delta> program() {
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", "k8s", "default/pod", "eth0"},
                         .interface_name = "cali1",
                         .mac = "02:00:00:00:00:01",
                         .addresses = {ip("10.65.0.2")}};
    const char* other = GetParam().same_subnet ? "192.0.2.2" : "198.51.100.2";
    std::vector<policy::Delta> deltas{
        policy::WorkloadUpdate{workload},
        policy::RouteUpdate{{.destination = net("10.65.0.2"),
                             .kind = ProgramRoute::Kind::local_workload,
                             .interface_name = "cali1"}},
        policy::RouteUpdate{
            {.destination = net("10.65.0.0/26"), .kind = ProgramRoute::Kind::local_block}},
        policy::HostUpdate{{.name = "node",
                            .v4 = ip("192.0.2.1"),
                            .vxlan_v4 = ip("10.65.0.1"),
                            .vxlan_mac = "66:00:00:00:00:01"}},
        policy::TunnelUpdate{{.node = "other",
                              .node_address = ip(other),
                              .tunnel_address = ip("10.65.1.1"),
                              .tunnel_mac = "66:00:00:00:00:02"}},
        policy::RouteUpdate{{.destination = net("10.65.1.0/26"),
                             .kind = ProgramRoute::Kind::remote_workload,
                             .node = "other",
                             .next_hop = ip(other),
                             .same_subnet = GetParam().same_subnet,
                             .vxlan = GetParam().vxlan.value_or(Encapsulation::never)}}};
    if (GetParam().vxlan)
      deltas.emplace_back(policy::PoolUpdate{{.name = "pool",
                                              .cidr = net("10.65.0.0/16"),
                                              .nat_outgoing = true,
                                              .vxlan = *GetParam().vxlan}});
    deltas.emplace_back(policy::InSync{});
    return deltas;
  }

  // As an agent does: applies, and applies again for as long as the kernel tells of links. Returns
  // how often.
  int apply_until_quiet() {
    constexpr int k_limit = 10;
    int applies = 0;
    do {
      ++applies;
      const auto applied = plane_->apply().outcome;
      EXPECT_TRUE(applied) << applied.error().message;
    } while (tell_of(events_->take().links) && applies < k_limit);
    return applies;
  }
  bool tell_of(const std::vector<net::Link>& links) {
    for (const auto& link : links)
      plane_->on_interface(
          {.name = link.name, .index = link.index, .up = link.up, .mtu = link.mtu});
    return !links.empty();
  }

  std::vector<std::string> written_;
  std::unique_ptr<DataPlane> plane_;
  std::optional<KernelEvents> events_;  // of the namespace of this test
};

TEST_P(IdleTest, IsQuietSoonAfterItsStart) { EXPECT_LE(apply_until_quiet(), 4); }

TEST_P(IdleTest, WritesNothingForEventsThatChangeNothing) {
  apply_until_quiet();
  written_.clear();
  const auto links = net::list_links(*socket_);
  ASSERT_TRUE(links);
  tell_of(*links);
  EXPECT_EQ(apply_until_quiet(), 1);
  EXPECT_EQ(events_->take().all, 0U);
  EXPECT_THAT(written_, IsEmpty());
}

TEST_P(IdleTest, WritesNothingWhenItReadsEverythingAgain) {
  apply_until_quiet();
  events_->take();
  written_.clear();
  for (const StateKind kind : k_state_kinds) plane_->resync(kind);
  ASSERT_TRUE(plane_->apply().outcome);
  EXPECT_EQ(events_->take().all, 0U);
  EXPECT_THAT(written_, IsEmpty());
}

TEST_P(IdleTest, WritesNothingAfterARestartOverItsOwnState) {
  apply_until_quiet();
  events_->take();
  written_.clear();
  auto commands = system_commands(Backend::nft, {});
  plane_ = std::move(*IptablesDataPlane::create(
      {.node = "node"}, std::make_unique<RecordingCommands>(std::move(commands->chosen), written_),
      true));
  for (const auto& delta : program()) plane_->on_delta(delta);
  ASSERT_TRUE(plane_->apply().outcome);
  EXPECT_EQ(events_->take().all, 0U);
  EXPECT_THAT(written_, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Pools, IdleTest,
    testing::Values(PoolCase{"None", {}, true},
                    PoolCase{"NoEncapsulation", Encapsulation::never, true},
                    PoolCase{"VxlanAlways", Encapsulation::always, true},
                    PoolCase{"VxlanCrossSubnetWithin", Encapsulation::cross_subnet, true},
                    PoolCase{"VxlanCrossSubnetBeyond", Encapsulation::cross_subnet, false}),
    [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace margay::dataplane::iptables
