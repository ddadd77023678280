// Mixed traffic and changes of configuration for a long time, again and again followed by silence:
// behind each silence everything that was taken must be back. SOAK_SECONDS says how long, and
// SOAK_PACKETS_A_SECOND how fast. The engine's time runs faster than the clock.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "vector/parse/ip_protocol.h"
#include "vector/testing/engine_fixture.h"

namespace margay::vector {
namespace {

using policy::Action;
using testing::Bytes;
using testing::k_ack;
using testing::k_fin;
using testing::k_rst;
using testing::k_syn;
using testing::Sent;

constexpr uint64_t k_longer_than_any_timeout_ms = 100'000'000;
constexpr uint64_t k_step_ms = 5;  // of the engine's time
constexpr uint64_t k_kept_bytes = uint64_t{4}
                                  << 20;  // session tables that are not large keep theirs
constexpr int64_t k_slack_kib = 8192;     // a few huge pages are there or not
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_sanitized = true;
#else
constexpr bool k_sanitized = false;
#endif

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

int64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

class Soak : public testing::EngineFixture {
 protected:
  void configure_more() {
    set_policy("b", {rule(Action::allow)}, {rule(Action::allow)});
    set_backends("10.96.0.1", false, true);
    set_backends("192.0.2.80", true, true);
  }

  void set_backends(const char* address, bool masquerade, bool both) {
    ServiceConfig config{.name = address};
    config.frontends = {{.address = *base::IPAddress::parse(address),
                         .protocol = protocol::k_tcp,
                         .port = 80,
                         .masquerade = masquerade}};
    config.backends = {{.identity = {*base::IPAddress::parse("10.65.0.2"), 8080}, .ready = true},
                       {.identity = {*base::IPAddress::parse("192.0.2.8"), 8080},
                        .ready = both,
                        .draining = !both}};
    ASSERT_TRUE(engine_->set_service(config));
    engine_->publish();
  }

  uint16_t port() { return static_cast<uint16_t>(1024 + random_() % 60000); }
  bool one_in(unsigned n) { return random_() % n == 0; }
  std::string outside() {
    return fmt::format("198.51.{}.{}", random_() % 250 + 1, random_() % 250 + 1);
  }

  std::vector<Sent> pass(const std::string& interface, const Bytes& frame) {
    ++packets_;
    auto sent = send(interface, frame);
    left_ += sent.size();
    return sent;
  }

  // What comes back from where the packet went: its addresses and ports turned around.
  static std::string address(const Bytes& frame, size_t at) {
    return base::IPAddress::from_bytes({&frame[at], 4})->to_string();
  }
  static uint16_t port_at(const Bytes& frame, size_t at) {
    return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
  }
  void answer_tcp(const Sent& sent, uint8_t flags) {
    const Bytes& frame = sent.frame;
    pass(sent.interface, from("")
                             .ipv4(address(frame, 30), address(frame, 26))
                             .tcp(port_at(frame, 36), port_at(frame, 34), flags)
                             .build());
  }

  void udp_flow(bool v6) {
    const auto source = port();
    const std::string there = v6 ? "2001:db8::8" : outside(), here = v6 ? "fd00::1" : "10.65.0.1";
    pass("cali-a", from("").ip(here, there).udp(source, 53).payload(random_() % 1000).build());
    if (one_in(2)) pass("eth0", from("").ip(there, here).udp(53, source).payload(100).build());
  }

  void tcp_flow(const std::string& interface, const std::string& source,
                const std::string& destination) {
    const auto at = port();
    const auto segment = [&](uint8_t flags) {
      return pass(interface, from("").ipv4(source, destination).tcp(at, 80, flags).build());
    };
    const auto opened = segment(k_syn);
    if (opened.empty() || opened[0].frame.size() < 54) return;
    answer_tcp(opened[0], k_syn | k_ack);
    segment(k_ack);
    if (one_in(4)) return;  // it just stops
    if (one_in(4)) {
      segment(k_rst);
      return;
    }
    segment(k_fin | k_ack);
    answer_tcp(opened[0], k_fin | k_ack);
  }

  void fragmented() {
    Bytes packet = from("").ipv4("10.65.0.1", outside()).udp(port(), 53).payload(2000).build();
    packet.erase(packet.begin(), packet.begin() + 14);
    auto parts = testing::fragments(packet, 800, static_cast<uint32_t>(random_()) & 0xffff);
    std::ranges::shuffle(parts, random_);
    if (one_in(3)) parts.pop_back();
    for (const auto& part : parts) {
      Bytes frame = from("").ether_type(0x0800).build();
      frame.insert(frame.end(), part.begin(), part.end());
      pass("cali-a", frame);
    }
  }

  void error() {
    const std::string far = outside();
    const Bytes about = from("").ipv4("10.65.0.1", far).udp(port(), 53).payload(8).build();
    if (!one_in(3)) pass("cali-a", about);
    pass("eth0", from("")
                     .ipv4("192.0.2.254", "10.65.0.1")
                     .icmp(3, 1)
                     .payload(std::span(about).subspan(14))
                     .build());
  }

  void traffic() {
    switch (random_() % 10) {
      case 0:
        return udp_flow(true);
      case 1:
        return tcp_flow("cali-a", "10.65.0.1", "10.65.0.2");
      case 2:
        return tcp_flow("cali-a", "10.65.0.1", "10.96.0.1");
      case 3:
        return tcp_flow("eth0", outside(), "192.0.2.80");
      case 4:
        return fragmented();
      case 5:
        return error();
      case 6:
        pass("cali-a", from("").ipv4("10.65.0.1", "10.65.0.2").udp(port(), 99).build());
        pass("cali-b", from("").ipv4("10.65.0.1", "10.65.0.2").udp(port(), 99).build());
        return;
      case 7:
        pass("cali-a", from("").ipv4("10.65.0.1", "172.18.0.1").echo(false, port()).build());
        pass("eth0", from("").ipv4(outside(), "10.65.0.2").ttl(1).udp(port(), 9).build());
        return;
      case 8:  // one that goes on
        pass("cali-a", from("").ipv4("10.65.0.1", "192.0.2.9").udp(5000, 53).payload(64).build());
        return;
      default:
        return udp_flow(false);
    }
  }

  void change() {
    switch (random_() % 6) {
      case 0:
        return set_policy("b", {rule(one_in(3) ? Action::deny : Action::allow)},
                          {rule(Action::allow)});
      case 1:
        return set_backends("10.96.0.1", false, one_in(2));
      case 2:
        return set_backends("192.0.2.80", true, one_in(2));
      case 3:
        return set_workload("b", true, !one_in(3));
      case 4:
        engine_->apply(policy::WorkloadRemove{{"node", "k8s", "ns/b", "eth0"}});
        engine_->publish();
        return set_workload("b", true);
      default:
        engine_->forwarding().set_route(
            *base::Prefix::parse("198.51.0.0/17"),
            one_in(2) ? NextHop{.kind = Adjacency::Kind::unreachable}
                      : NextHop{.interface = 0, .mac = MacAddress{{2, 0, 0, 0, 0, 3}}});
        return engine_->publish();
    }
  }

  void silence() {
    configure_more();
    pass_time(k_longer_than_any_timeout_ms);
    for (int round = 0; round < 2000; ++round) {
      send_all("eth0", {});
      for (unsigned i = 0; i < engine_->workers(); ++i) engine_->worker(i).expire(10'000);
    }
    send_all("eth0", {});
  }

  uint64_t session_memory() const {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < engine_->workers(); ++i)
      bytes += engine_->worker(i).sessions4.memory() + engine_->worker(i).sessions6.memory();
    return bytes;
  }

  std::mt19937_64 random_{1};
  uint64_t packets_ = 0, left_ = 0;
};

// A line through the points, by least squares.
double slope(const std::vector<std::pair<double, double>>& points) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [at, value] : points) {
    n += 1, x += at, y += value, xx += at * at, xy += at * value;
  }
  const double divisor = n * xx - x * x;
  return divisor == 0 ? 0 : (n * xy - x * y) / divisor;
}

TEST_F(Soak, EverythingComesBack) {
  using Clock = std::chrono::steady_clock;
  const Clock::duration duration = std::chrono::seconds(setting("SOAK_SECONDS", 3));
  const auto rate = static_cast<double>(setting("SOAK_PACKETS_A_SECOND", 20'000));
  const auto cycle = std::min<Clock::duration>(std::chrono::seconds(30), duration / 5);
  start({.workers = 2});
  silence();
  const uint64_t memory_before = session_memory();
  const auto begun = Clock::now();
  std::vector<std::pair<double, double>> resident;
  int64_t warm_kib = 0;
  uint32_t most_sessions = 0;
  while (Clock::now() - begun < duration) {
    const auto until = Clock::now() + cycle;
    for (unsigned step = 0; Clock::now() < until; ++step) {
      traffic();
      if (step % 1000 == 999) change();
      if (step % 4 == 0) pass_time(k_step_ms);
      for (unsigned i = 0; i < engine_->workers(); ++i) engine_->worker(i).expire(16);
      const std::chrono::duration<double> due(static_cast<double>(packets_) / rate);
      std::this_thread::sleep_until(begun + std::chrono::duration_cast<Clock::duration>(due));
    }
    most_sessions = std::max(most_sessions, sessions());
    silence();
    ASSERT_EQ(sessions(), 0U);
    ASSERT_EQ(rte_mempool_in_use_count(engine_->buffers()), 0U) << all_drops();
    ASSERT_LE(session_memory(), memory_before + k_kept_bytes);
    const std::chrono::duration<double> passed = Clock::now() - begun;
    const int64_t kib = resident_kib();
    if (resident.size() < 2) warm_kib = kib;
    resident.emplace_back(passed.count(), static_cast<double>(kib));
    fmt::print("{:.0f} s: {} packets, {} left, {} sessions at most, {} KiB resident\n",
               passed.count(), packets_, left_, most_sessions, kib);
    // Sanitizers hold on to freed memory and keep shadows of it.
    if (!k_sanitized) {
      ASSERT_LE(kib, warm_kib + k_slack_kib);
    }
  }
  resident.erase(resident.begin());
  fmt::print("{:+.1f} KiB an hour; dropped: {}\n", slope(resident) * 3600, all_drops());
  EXPECT_GT(left_, packets_ / 4);
}

}  // namespace
}  // namespace margay::vector
