// Server and probe against each other, in network namespaces of their own. Needs root.

#include "lab/probe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/file_lock.h"
#include "base/process.h"
#include "lab/processes.h"
#include "lab/serve.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/netlink.h"

namespace margay::lab {
namespace {

using namespace std::chrono_literals;
using base::IPAddress;
using net::NetlinkSocket;
using net::NetworkNamespace;

// Two namespaces joined by a veth: 10.9.0.1 and fd09::1 in `client`, .2 and ::2 in `server`.
class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    auto client = NetworkNamespace::create(name("c"));
    auto server = NetworkNamespace::create(name("s"));
    ASSERT_TRUE(client && server);
    auto near = NetlinkSocket::open(*client);
    auto far = NetlinkSocket::open(*server);
    ASSERT_TRUE(near && far);
    ASSERT_TRUE(net::create_veth(
        *near, {.near = {"v", {}}, .far = {"v", {}}, .far_namespace = server->fd()}));
    configure(*near, 1);
    configure(*far, 2);
    wait_until_running(*near);
    wait_until_running(*far);
    server_.emplace(std::move(*server));
    namespaces_.emplace("x/client", std::move(*client));
  }

  void TearDown() override {
    for (const char* which : {"c", "s"}) {
      const ino_t inode = namespace_inode(name(which));
      EXPECT_TRUE(kill_processes(
          [&](const ProcessView& one) { return inode != 0 && one.is_in_namespace(inode); }, 5s));
      EXPECT_TRUE(NetworkNamespace::remove(name(which)));
    }
    std::filesystem::remove(lock_file());
  }

  static std::string name(const char* which) {
    return fmt::format("mt-lab-{}-{}", getpid(), which);
  }
  static std::string lock_file() { return fmt::format("/tmp/mt-lab-{}.server", getpid()); }

  static void configure(NetlinkSocket& socket, uint8_t host) {
    ASSERT_TRUE(net::change_link(socket, "v", {.up = true}));
    const auto link = net::get_link(socket, "v");
    ASSERT_TRUE(link);
    for (const auto& text : {fmt::format("10.9.0.{}", host), fmt::format("fd09::{}", host)}) {
      ASSERT_TRUE(net::add_address(socket, {.link = link->index,
                                            .address = IPAddress::parse(text).value(),
                                            .prefix_length = text[0] == 'f' ? 64U : 24U,
                                            .no_duplicate_detection = true}));
    }
  }

  // Before that the kernel drops what is sent.
  static void wait_until_running(NetlinkSocket& socket) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!net::get_link(socket, "v").value().running) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the link has no carrier";
      std::this_thread::yield();
    }
  }

  // A forked child: it ends with its namespace's other processes.
  void serve_in_namespace(const ServerOptions& options) {
    ASSERT_TRUE(server_->run([&]() -> base::Result<> {
      if (fork() == 0) _exit(serve(options) ? 0 : 1);
      return {};
    }));
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!server_report(options.lock_file)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the server does not start";
      std::this_thread::yield();
    }
  }

  Outcome probe_once(const std::string& to, const std::string& port, const std::string& address) {
    const Attempt attempt{"x/client", to, ServedPort::parse(port).value(),
                          IPAddress::parse(address).value()};
    return probe({&attempt, 1}, namespaces_, 500ms).value().front();
  }

  // With a carrier the kernel still takes a moment until IPv6 finds its neighbours.
  void wait_until_heard(const std::string& address) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (probe_once("x/server", "udp:53", address).result == Outcome::Result::deny)
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << address << " is silent";
  }

  PodNamespaces namespaces_;
  std::optional<NetworkNamespace> server_;
};

TEST_F(ProbeTest, FindsOutWhoAnswers) {
  serve_in_namespace(
      {.identity = "x/server",
       .ports = {ServedPort::parse("tcp:80").value(), ServedPort::parse("udp:53").value()},
       .lock_file = lock_file()});
  wait_until_heard("fd09::2");
  struct Case {
    const char *name, *to, *port, *address;
    Outcome::Result result;
  };
  const std::vector<Case> cases{
      {"TCP over IPv4", "x/server", "tcp:80", "10.9.0.2", Outcome::Result::allow},
      {"TCP over IPv6", "x/server", "tcp:80", "fd09::2", Outcome::Result::allow},
      {"UDP over IPv4", "x/server", "udp:53", "10.9.0.2", Outcome::Result::allow},
      {"UDP over IPv6", "x/server", "udp:53", "fd09::2", Outcome::Result::allow},
      {"TCP port nobody listens on", "x/server", "tcp:81", "10.9.0.2", Outcome::Result::error},
      {"UDP port nobody listens on", "x/server", "udp:54", "10.9.0.2", Outcome::Result::error},
      {"another pod answers", "x/other", "tcp:80", "10.9.0.2", Outcome::Result::error},
      {"no route to the network", "x/server", "tcp:80", "10.8.0.2", Outcome::Result::error},
  };
  for (const auto& one : cases) {
    const auto outcome = probe_once(one.to, one.port, one.address);
    EXPECT_EQ(outcome.result, one.result) << one.name << ": " << outcome.detail;
  }
}

TEST_F(ProbeTest, SilenceIsADenial) {
  auto socket = NetlinkSocket::open(*server_);
  ASSERT_TRUE(socket);
  ASSERT_TRUE(net::change_link(*socket, "v", {.up = false}));
  for (const char* port : {"tcp:80", "udp:53"}) {
    EXPECT_EQ(probe_once("x/server", port, "10.9.0.2").result, Outcome::Result::deny) << port;
  }
}

TEST_F(ProbeTest, NeedsTheNamespaceOfEverySource) {
  const Attempt attempt{"x/nobody", "x/server", ServedPort::parse("tcp:80").value(), {}};
  EXPECT_FALSE(probe({&attempt, 1}, namespaces_, 100ms));
}

TEST_F(ProbeTest, AServerThatLivesKeepsASecondOneAway) {
  const ServerOptions options{.identity = "x/server",
                              .ports = {ServedPort::parse("tcp:80").value()},
                              .lock_file = lock_file()};
  serve_in_namespace(options);
  EXPECT_TRUE(serve(options)) << "returns at once";
  EXPECT_EQ(probe_once("x/server", "tcp:80", "10.9.0.2").result, Outcome::Result::allow);
}

TEST_F(ProbeTest, TheReportSaysWhatCouldNotBeServed) {
  serve_in_namespace({.identity = "x/server",
                      .ports = {ServedPort::parse("tcp:80").value()},
                      .lock_file = lock_file()});
  const auto second = lock_file() + "2";
  serve_in_namespace({.identity = "x/second",
                      .ports = {ServedPort::parse("tcp:80").value()},
                      .lock_file = second});
  const auto report = server_report(second);
  std::filesystem::remove(second);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->unserved.size(), 1U);
  EXPECT_TRUE(report->unserved[0].starts_with("tcp:80: ")) << report->unserved[0];
}

TEST(ServedPort, ReadsProtocolAndNumber) {
  EXPECT_EQ(ServedPort::parse("sctp:3868").value().to_string(), "sctp:3868");
  for (const char* bad : {"", "tcp", "tcp:", "tcp:0", "tcp:65536", "icmp:1", "tcp:80x", ":80"}) {
    EXPECT_FALSE(ServedPort::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace margay::lab
