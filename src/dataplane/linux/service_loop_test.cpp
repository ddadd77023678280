// Packets to a service's address, forwarded by a node: where no service takes them they must not
// leave it again (serviceLoopPrevention).
//
//   client -- eth0 [node] eth1 -- gateway, which has every address

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/unique_fd.h"
#include "dataplane/testing/kernel_fixture.h"
#include "dataplane/testing/kernel_planes.h"
#include "net/sysctl.h"
#include "net/testing/scratch_namespace.h"
#include "policy/graph.h"

namespace margay::dataplane::linux_host {
namespace {

using net::testing::ScratchNamespace;
using Prevention = ServiceLoopPrevention;

constexpr uint16_t k_port = 5353;
constexpr int k_arrives_ms = 5000, k_silence_ms = 200;

struct Addresses {
  bool v6;
  const char *client, *eth0, *eth1, *gateway, *length;
  const char *service, *network, *elsewhere;  // a service's, their network, and none
};
constexpr Addresses k_v4{false, "192.0.2.2", "192.0.2.1",    "198.51.100.1", "198.51.100.2",
                         "24",  "10.96.0.9", "10.96.0.0/12", "203.0.113.9"};
constexpr Addresses k_v6{true, "2001:db8:1::2", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::2",
                         "64", "fd96::9",       "fd96::/108",    "2001:db8:3::9"};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size;
  SocketAddress(const char* address, bool v6)
      : size(v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in)) {
    auto* port = &reinterpret_cast<sockaddr_in&>(storage).sin_port;  // at the same place in both
    storage.ss_family = v6 ? AF_INET6 : AF_INET;
    *port = htons(k_port);
    if (v6)
      inet_pton(AF_INET6, address, &reinterpret_cast<sockaddr_in6&>(storage).sin6_addr);
    else
      inet_pton(AF_INET, address, &reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

class ServiceLoop : public KernelTest,
                    public ::testing::WithParamInterface<std::tuple<const char*, Addresses>> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(net::write_sysctl("net/ipv6/conf/all/forwarding", "1"));
    connect("eth0", us_.eth0, *client_, us_.client);
    connect("eth1", us_.eth1, *gateway_, us_.gateway);
    ip({"route", "add", "default", "via", us_.gateway});
    in(*client_, {"ip", "route", "add", "default", "via", us_.eth0});
    for (const char* own : {us_.service, us_.elsewhere})
      in(*gateway_, {"ip", "address", "add", own, "dev", "lo"});
    in(*gateway_, {"ip", "link", "set", "lo", "up"});
    receiver_ = socket_in(*gateway_);
    const SocketAddress any(us_.v6 ? "::" : "0.0.0.0", us_.v6);
    ASSERT_EQ(bind(receiver_.get(), any.get(), any.size), 0);
  }

  void connect(const char* name, const char* near, const ScratchNamespace& peer, const char* far) {
    ASSERT_TRUE(net::create_veth(
        *socket_, {.near = {name, {}}, .far = {"eth0", {}}, .far_namespace = peer.get().fd()}));
    const auto with_length = [&](const char* own) { return fmt::format("{}/{}", own, us_.length); };
    ip({"link", "set", name, "up"});
    ip({"address", "add", with_length(near), "dev", name, "nodad"});
    in(peer, {"ip", "link", "set", "eth0", "up"});
    in(peer, {"ip", "address", "add", with_length(far), "dev", "eth0", "nodad"});
  }

  void ip(std::vector<std::string> words) {
    words.insert(words.begin(), {"ip", us_.v6 ? "-6" : "-4"});
    if (!us_.v6) std::erase(words, "nodad");
    output(std::move(words));
  }
  void in(const ScratchNamespace& where, std::vector<std::string> words) {
    words.insert(words.begin() + 1, us_.v6 ? "-6" : "-4");
    if (!us_.v6) std::erase(words, "nodad");
    const auto done =
        base::run_checked({.argv = std::move(words), .network_namespace = where.get().fd()});
    ASSERT_TRUE(done) << done.error().message;
  }
  base::UniqueFd socket_in(const ScratchNamespace& where) {
    return where.get()
        .run([&]() -> base::Result<base::UniqueFd> {
          return base::UniqueFd(
              ::socket(us_.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        })
        .value();
  }

  void start(Prevention prevention) {
    plane_ = make_kernel_plane(std::get<0>(GetParam()),
                               {.node = "node",
                                .service_loop_prevention = prevention,
                                .service_networks = {*policy::Prefix::parse(us_.network)}})
                 .value();
    plane_->on_delta(policy::InSync{});
    const auto outcome = plane_->apply().outcome;
    ASSERT_TRUE(outcome) << outcome.error().message;
    output({"conntrack", "-F"});
  }

  enum class Outcome : uint8_t { arrived, refused, lost };
  // Sent by the client.
  Outcome send_to(const char* address, int within_ms) {
    const auto sender = socket_in(*client_);
    const SocketAddress to(address, us_.v6);
    EXPECT_EQ(::connect(sender.get(), to.get(), to.size), 0);
    EXPECT_EQ(send(sender.get(), "x", 1, 0), 1);
    pollfd waiting[]{{receiver_.get(), POLLIN, 0}, {sender.get(), POLLERR, 0}};
    if (poll(waiting, 2, within_ms) == 0) return Outcome::lost;
    char byte = 0;
    return recv(receiver_.get(), &byte, 1, 0) == 1 ? Outcome::arrived : Outcome::refused;
  }

  const Addresses us_ = std::get<1>(GetParam());
  std::unique_ptr<ScratchNamespace> client_ = std::make_unique<ScratchNamespace>("mt-loop");
  std::unique_ptr<ScratchNamespace> gateway_ = std::make_unique<ScratchNamespace>("mt-loop");
  base::UniqueFd receiver_;
  std::unique_ptr<DataPlane> plane_;
};

TEST_P(ServiceLoop, IsPreventedAsSet) {
  using enum Outcome;
  for (const auto& [prevention, outcome] : {std::pair{Prevention::disabled, arrived},
                                            {Prevention::drop, lost},
                                            {Prevention::reject, refused},
                                            {Prevention::disabled, arrived}}) {
    SCOPED_TRACE(static_cast<int>(prevention));
    ASSERT_NO_FATAL_FAILURE(start(prevention));
    EXPECT_EQ(send_to(us_.service, outcome == lost ? k_silence_ms : k_arrives_ms), outcome);
    EXPECT_EQ(send_to(us_.elsewhere, k_arrives_ms), arrived);
  }
}

// Its address has become a backend's by then.
TEST_P(ServiceLoop, IsNoneWhereAServiceTakesThePacket) {
  ASSERT_NO_FATAL_FAILURE(start(Prevention::drop));
  output({us_.v6 ? "ip6tables" : "iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-p", "udp",
          "-d", us_.service, "--dport", std::to_string(k_port), "-j", "DNAT", "--to-destination",
          us_.gateway});
  EXPECT_EQ(send_to(us_.service, k_arrives_ms), Outcome::arrived);
}

INSTANTIATE_TEST_SUITE_P(Planes, ServiceLoop,
                         ::testing::Combine(::testing::ValuesIn(k_kernel_planes),
                                            ::testing::Values(k_v4, k_v6)),
                         [](const auto& given) {
                           return std::string(std::get<0>(given.param)) +
                                  (std::get<1>(given.param).v6 ? "IPv6" : "IPv4");
                         });

}  // namespace
}  // namespace margay::dataplane::linux_host
