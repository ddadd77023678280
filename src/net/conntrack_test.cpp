#include "net/conntrack.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/process.h"
#include "base/unique_fd.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::IPAddress;
using base::Result;
using testing::ScratchNamespace;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }

// A datagram over loopback, which is enough for a tracked flow.
Result<> send_datagram(uint16_t port, const IPAddress& to) {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in destination{.sin_family = AF_INET, .sin_port = htons(port)};
  destination.sin_addr.s_addr = htonl(to.to_v4());
  if (sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&destination),
             sizeof destination) != 1) {
    return base::fail_errno("send", errno);
  }
  return {};
}

class ConntrackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    scratch_ = std::make_unique<ScratchNamespace>();
    // Tracking starts in a namespace with the first rule that needs it.
    ASSERT_TRUE(
        run({"iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"}));
  }
  Result<std::string> run(std::vector<std::string> argv) {
    return base::run_checked({.argv = std::move(argv), .network_namespace = scratch_->get().fd()});
  }
  size_t flows() {
    std::string listed;
    for (const char* family : {"ipv4", "ipv6"})
      listed += run({"conntrack", "-L", "-f", family}).value();
    return static_cast<size_t>(std::ranges::count(listed, '\n'));
  }
  size_t flows_of(const IPAddress& destination) {
    const auto listed = run({"conntrack", "-L", "-d", destination.to_string()}).value();
    return static_cast<size_t>(std::ranges::count(listed, '\n'));
  }
  void forget(const std::vector<IPAddress>& addresses) {
    auto conntrack = scratch_->get().run([] { return Conntrack::open(); });
    ASSERT_TRUE(conntrack) << conntrack.error().message;
    const auto done = conntrack->forget(addresses);
    EXPECT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<ScratchNamespace> scratch_;
};

TEST_F(ConntrackTest, ForgetsTheFlowsOfTheAddressesOnly) {
  const auto client = ip("127.0.0.1"), first = ip("127.0.0.2"), second = ip("127.0.0.3");
  ASSERT_TRUE(scratch_->get().run([&]() -> Result<> {
    for (uint16_t port = 1000; port < 1003; ++port) MARGAY_CHECK(send_datagram(port, first));
    MARGAY_CHECK(send_datagram(1000, second));
    return send_datagram(1000, client);
  }));
  ASSERT_EQ(flows_of(first), 3U);
  ASSERT_EQ(flows_of(second), 1U);

  forget({first});
  EXPECT_EQ(flows_of(first), 0U);
  EXPECT_EQ(flows_of(second), 1U);
  forget({first, client, second});
  EXPECT_EQ(flows_of(client) + flows_of(second), 0U);
}

// A flow as conntrack(8) writes it: both tuples, which differ where addresses are translated.
struct TranslatedFlow {
  const char* name;
  std::vector<std::string> original, reply;  // source, destination
};

class TranslatedConntrackTest : public ConntrackTest,
                                public ::testing::WithParamInterface<TranslatedFlow> {};

TEST_P(TranslatedConntrackTest, IsForgottenWhereverTheAddressStands) {
  const auto& flow = GetParam();
  const auto inserted = run({"conntrack",
                             "-I",
                             "-p",
                             "udp",
                             "-t",
                             "120",
                             "-s",
                             flow.original[0],
                             "-d",
                             flow.original[1],
                             "-r",
                             flow.reply[0],
                             "-q",
                             flow.reply[1],
                             "--sport",
                             "1000",
                             "--dport",
                             "53",
                             "--reply-port-src",
                             "53",
                             "--reply-port-dst",
                             "1000"});
  ASSERT_TRUE(inserted) << inserted.error().message;
  ASSERT_EQ(flows(), 1U);
  forget({ip("10.65.0.3"), ip("fd00::3")});
  ASSERT_EQ(flows(), 1U);
  forget({ip("10.65.0.2"), ip("fd00::2")});
  EXPECT_EQ(flows(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Places, TranslatedConntrackTest,
    ::testing::Values(
        TranslatedFlow{"Source", {"10.65.0.2", "192.0.2.1"}, {"192.0.2.1", "198.51.100.1"}},
        TranslatedFlow{"Destination", {"192.0.2.1", "10.65.0.2"}, {"10.65.0.9", "192.0.2.1"}},
        TranslatedFlow{"SourceOfReplies", {"192.0.2.1", "203.0.113.1"}, {"10.65.0.2", "192.0.2.1"}},
        TranslatedFlow{
            "DestinationOfReplies", {"192.0.2.1", "203.0.113.1"}, {"203.0.113.1", "10.65.0.2"}},
        TranslatedFlow{"IPv6", {"2001:db8::1", "2001:db8::2"}, {"fd00::2", "2001:db8::1"}}),
    [](const auto& given) { return given.param.name; });

// More than are held in memory at a time.
TEST_F(ConntrackTest, ForgetsAnyNumberOfFlows) {
  const auto first = ip("127.0.0.2");
  ASSERT_TRUE(scratch_->get().run([&]() -> Result<> {
    for (uint16_t port = 1; port <= 20'000; ++port) MARGAY_CHECK(send_datagram(port, first));
    return send_datagram(1, ip("127.0.0.3"));
  }));
  ASSERT_EQ(flows_of(first), 20'000U);
  forget({first});
  EXPECT_EQ(flows_of(first), 0U);
  EXPECT_EQ(flows(), 1U);
}

// Whoever floods an address must not keep its next pod from starting.
TEST_F(ConntrackTest, IsDoneWhileNewFlowsKeepComing) {
  const auto first = ip("127.0.0.2");
  std::atomic<bool> stop = false;
  std::atomic<int> sent = 0;
  const auto flood = [&]() -> Result<> {
    for (uint16_t port = 1; !stop; port = port % 30'000 + 1, ++sent)
      (void)send_datagram(port, first);  // fails while the table is full
    return {};
  };
  std::vector<std::jthread> senders;
  for (int i = 0; i < 2; ++i)
    senders.emplace_back([&] { EXPECT_TRUE(scratch_->get().run(flood)); });
  while (sent < 30'000) std::this_thread::yield();
  forget({first});
  stop = true;
}

TEST_F(ConntrackTest, FindsNothingInTheOtherFamily) { forget({ip("fd00::1")}); }

}  // namespace
}  // namespace margay::net
