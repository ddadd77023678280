// Changes under load: two workers in threads of their own judge packets while the control thread
// changes policies, sets, services, routes and workloads, one change for each burst of packets.
// What is switched is a function of the change's number, so everyone knows what holds when: a
// packet must meet what was right at some moment between its entry and its exit. And every packet
// that goes in comes out, or is dropped for the reason that the configuration gives.
//
// Takes MARGAY_CHURN_SECONDS, or 2.

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "vector/engine.h"
#include "vector/graph/observer.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"
#include "vector/testing/engine_fixture.h"

namespace margay::vector {
namespace {

using policy::Action;
using testing::Bytes;

// What is switched, round and round; each of several of its kind.
// A bystander's workload is told again, and nothing is to happen to it.
enum class Switch : uint8_t { policy, set, service, route, workload, bystander };
constexpr uint64_t k_kinds = 6, k_each = 4, k_switches = k_kinds * k_each;
constexpr unsigned k_workers = 2;
constexpr size_t k_most_in_burst = 64;

// How often switch `number` was thrown after so many changes, of which number 1 is the first.
constexpr uint64_t throws(uint64_t number, uint64_t changes) {
  return (changes + k_switches - 1 - number) / k_switches;
}
static_assert(throws(0, 0) == 0 && throws(0, 1) == 1 && throws(1, 1) == 0);
static_assert(throws(1, 2) == 1 && throws(0, k_switches) == 1 && throws(0, k_switches + 1) == 2);

Switch kind_of(uint64_t number) { return static_cast<Switch>(number % k_kinds); }
uint64_t which_of(uint64_t number) { return number / k_kinds; }

// What became of a packet: where it left, or why not; for services, the backend's port as well.
struct Fate {
  DropReason reason = DropReason::none;
  InterfaceIndex interface = 0;
  uint16_t port = 0;
  bool operator==(const Fate&) const = default;
};

class Traffic : public MemoryDriver, public Observer {
 public:
  struct Packet {
    uint64_t number = 0;                       // of the switch that it asks about
    uint64_t sent_after = 0, seen_before = 0;  // changes
    std::atomic<bool> is_done = false;
    Fate fate;
  };

  explicit Traffic(const std::atomic<uint64_t>& begun) : begun_(begun) {}

  void send(unsigned worker, InterfaceIndex interface, rte_mbuf* packet) {
    const std::lock_guard lock(mutex_);
    waiting_[worker].emplace_back(interface, packet);
  }

  MemoryBatch take(unsigned worker) override {
    auto& batch = taken_[worker];
    batch.clear();
    std::unique_lock lock(mutex_);
    auto& waiting = waiting_[worker];
    if (waiting.empty()) {
      lock.unlock();
      std::this_thread::yield();  // there may be fewer cores than threads
      return {};
    }
    const InterfaceIndex interface = waiting.front().first;
    while (!waiting.empty() && waiting.front().first == interface && batch.size() < k_most_batch) {
      batch.push_back(waiting.front().second);
      waiting.pop_front();
    }
    return {interface, batch};
  }

  void give(unsigned /*worker*/, std::span<const MemoryOutput> packets) override {
    for (const auto& [interface, packet] : packets) {
      const uint16_t port =
          load_be<uint16_t>(bytes(packet) + k_ethernet_header + k_ipv4_header + 2);
      settle(packet, {.interface = interface, .port = port});
      rte_pktmbuf_free(packet);
    }
  }

  void see(const rte_node& node, void** packets, uint16_t count) override {
    const std::string_view name = node.name;
    if (!name.contains("drop-")) return;
    const std::string_view reason = name.substr(name.find("drop-") + 5);
    for (size_t i = 1; i < k_drop_reasons; ++i)
      if (text_of(static_cast<DropReason>(i)).name == reason)
        for (uint16_t k = 0; k < count; ++k)
          settle(static_cast<rte_mbuf*>(packets[k]), {.reason = static_cast<DropReason>(i)});
  }

  std::array<Packet, k_most_in_burst> burst;
  std::atomic<size_t> settled = 0, settled_twice = 0;

 private:
  // The last bytes of a packet say which of the burst it is.
  void settle(rte_mbuf* packet, const Fate& fate) {
    Packet& place = burst[load_be<uint32_t>(bytes(packet) + packet->data_len - 4)];
    place.fate = fate;
    place.seen_before = begun_.load();
    if (place.is_done.exchange(true)) ++settled_twice;
    ++settled;
  }

  const std::atomic<uint64_t>& begun_;
  std::mutex mutex_;
  std::deque<std::pair<InterfaceIndex, rte_mbuf*>> waiting_[k_workers];
  std::vector<rte_mbuf*> taken_[k_workers];
};

class EngineChurnTest : public testing::EngineFixture {
 protected:
  static constexpr InterfaceIndex k_uplink = 0, k_pod_a = 1, k_pod_b = 2;
  static constexpr uint32_t k_set_net = 40, k_route_net = 100;  // first bytes of networks

  void SetUp() override {
    // Every packet begins a flow: they must go before a table is full.
    start({.workers = k_workers, .timeouts = {.udp_one_way = 1000}});
    policy::ProgramRule web = rule(Action::allow);
    web.protocol = policy::k_udp;
    engine_->apply(policy::ProfileUpdate{
        "open", std::make_shared<policy::ProgramRules>(policy::ProgramRules{{web}, {web}})});
    for (uint64_t number = 0; number < k_switches; ++number) change(number, 0);
  }

  // Throws one switch for the `times`th time; 0 is how it stands at first.
  void change(uint64_t number, uint64_t times) {
    const auto which = static_cast<uint8_t>(which_of(number));
    switch (kind_of(number)) {
      case Switch::policy:
      case Switch::set:
      case Switch::workload:
        change_policy(kind_of(number), which, times);
        engine_->publish();
        break;
      case Switch::bystander:
        set_pod_b();
        engine_->publish();
        break;
      case Switch::service:
        change_service(which, times);
        break;
      case Switch::route:
        engine_->forwarding().set_route(
            base::Prefix(base::IPAddress::v4((k_route_net + which) << 24), 8),
            times % 2 == 0 ? NextHop{.interface = k_uplink, .mac = MacAddress{{2, 0, 0, 0, 0, 2}}}
                           : NextHop{.kind = Adjacency::Kind::unreachable});
        break;
    }
  }

  Fate expected(uint64_t number, uint64_t changes) const {
    const uint64_t times = throws(number, changes);
    const auto which = static_cast<uint16_t>(which_of(number));
    switch (kind_of(number)) {
      case Switch::policy:
      case Switch::set:
      case Switch::workload:
        if (times % 2 == 1) return {.reason = DropReason::policy_denied_ingress};
        return {.interface = k_pod_b, .port = port_of(kind_of(number), which)};
      case Switch::service:
        if (times % 3 == 2) return {.reason = DropReason::service_no_backend};
        return {.interface = k_pod_b, .port = static_cast<uint16_t>(8000 + times % 3)};
      case Switch::route:
        if (times % 2 == 1) return {.reason = DropReason::unreachable};
        return {.interface = k_uplink, .port = 9};
      case Switch::bystander:
        return {.interface = k_uplink, .port = 9};
    }
    return {};
  }

  // A packet of a flow of its own whose way depends on one switch.
  Bytes packet(uint64_t number, uint64_t flow, uint32_t place) const {
    const auto which = static_cast<uint8_t>(which_of(number));
    const auto source_port = static_cast<uint16_t>(1024 + flow % 60000);
    const std::string subnet =
        fmt::format("{}.{}", 16 + flow / 60000 / 256 % 200, flow / 60000 % 256);
    const std::array<uint8_t, 4> tail{
        static_cast<uint8_t>(place >> 24), static_cast<uint8_t>(place >> 16),
        static_cast<uint8_t>(place >> 8), static_cast<uint8_t>(place)};
    std::string source = fmt::format("20.{}.1", subnet), destination = "10.65.0.2";
    uint16_t port = port_of(kind_of(number), which);
    if (kind_of(number) == Switch::service) {
      destination = fmt::format("10.96.0.{}", which);
      port = 80;
    } else if (kind_of(number) == Switch::route) {
      source = "10.65.0.1";
      destination = fmt::format("{}.{}.1", k_route_net + which, subnet);
      port = 9;
    } else if (kind_of(number) == Switch::bystander) {
      source = "10.65.0.2";
      destination = fmt::format("20.{}.1", subnet);
      port = 9;
    } else if (kind_of(number) == Switch::set) {
      source = fmt::format("{}.{}.1", k_set_net + which, subnet);
    }
    return from("").ip(source, destination).udp(source_port, port).payload(tail).build();
  }
  static InterfaceIndex interface_of(uint64_t number) {
    if (kind_of(number) == Switch::bystander) return k_pod_b;
    return kind_of(number) == Switch::route ? k_pod_a : k_uplink;
  }

  rte_mbuf* buffer(const Bytes& frame) {
    rte_mbuf* made = rte_pktmbuf_alloc(engine_->buffers());
    if (made)
      std::memcpy(rte_pktmbuf_append(made, static_cast<uint16_t>(frame.size())), frame.data(),
                  frame.size());
    return made;
  }

 private:
  static uint16_t port_of(Switch kind, uint16_t which) {
    return static_cast<uint16_t>(1000 * (1 + static_cast<uint16_t>(kind)) + which);
  }
  static policy::ProgramRule to_port(Action action, uint16_t port) {
    policy::ProgramRule made = rule(action);
    made.protocol = policy::k_udp;
    made.destination.ports = {{port, port}};
    made.id = fmt::format("{}-{}", port, static_cast<int>(action));
    return made;
  }

  // Everything about pod b: a policy for each switch, then one that allows the rest.
  void change_policy(Switch kind, uint8_t which, uint64_t times) {
    const uint16_t port = port_of(kind, which);
    const bool allowed = times % 2 == 0;
    const policy::PolicyKey key{.ns = "ns", .name = fmt::format("{}", port)};
    const auto set_rules = [&](std::vector<policy::ProgramRule> rules) {
      engine_->apply(policy::PolicyUpdate{
          key, std::make_shared<policy::ProgramRules>(policy::ProgramRules{std::move(rules), {}})});
    };
    if (kind == Switch::policy) {
      set_rules({to_port(allowed ? Action::allow : Action::deny, port)});
    } else if (kind == Switch::set) {
      const std::string id = fmt::format("set-{}", which);
      const policy::SetMember member{
          .net = base::Prefix(base::IPAddress::v4((k_set_net + which) << 24), 8)};
      if (times == 0) {
        engine_->apply(policy::SetUpdate{.id = id, .members = {member}});
        auto only = to_port(Action::allow, port);
        only.source.sets = {id};
        set_rules({only, to_port(Action::deny, port)});
      } else if (allowed) {
        engine_->apply(policy::SetDelta{.id = id, .added = {member}});
      } else {
        engine_->apply(policy::SetDelta{.id = id, .removed = {member}});
      }
    } else if (times == 0) {
      set_rules({to_port(Action::deny, port)});
      denied_.emplace(key, false);
    } else {
      denied_[key] = !allowed;
    }
    if (kind != Switch::workload) always_.insert(key);
    if (kind == Switch::workload || times == 0) set_pod_b();
  }

  void set_pod_b() {
    policy::WorkloadEndpoint endpoint;
    endpoint.key = {"node", "k8s", "ns/b", "eth0"};
    endpoint.interface_name = "cali-b";
    endpoint.mac = "02:00:00:00:00:02";
    endpoint.profiles = {"open"};
    endpoint.addresses = {*base::IPAddress::parse("10.65.0.2")};
    const policy::PolicyKey rest{.ns = "ns", .name = "rest"};
    engine_->apply(policy::PolicyUpdate{
        rest,
        std::make_shared<policy::ProgramRules>(policy::ProgramRules{{rule(Action::allow)}, {}})});
    policy::ProgramTier tier{.name = "default", .ingress = {always_.begin(), always_.end()}};
    for (const auto& [key, applies] : denied_)
      if (applies) tier.ingress.push_back(key);
    tier.ingress.push_back(rest);
    engine_->apply(policy::WorkloadUpdate{{.endpoint = endpoint, .tiers = {tier}}});
  }

  void change_service(uint8_t which, uint64_t times) {
    ServiceConfig config{.name = fmt::format("service-{}", which)};
    config.frontends = {{.address = base::IPAddress::v4(0x0a600000 + which),  // 10.96.0.0
                         .protocol = protocol::k_udp,
                         .port = 80}};
    if (times % 3 != 2)
      config.backends = {{.identity = {*base::IPAddress::parse("10.65.0.2"),
                                       static_cast<uint16_t>(8000 + times % 3)},
                          .ready = true}};
    const auto set = engine_->set_service(config);
    EXPECT_TRUE(set) << set.error().message;
  }

  std::set<policy::PolicyKey> always_;
  std::map<policy::PolicyKey, bool> denied_;
};

std::string text(const Fate& fate) {
  if (fate.reason != DropReason::none) return std::string(text_of(fate.reason).name);
  return fmt::format("out of {} to port {}", fate.interface, fate.port);
}

std::chrono::seconds duration() {
  const char* seconds = std::getenv("MARGAY_CHURN_SECONDS");
  return std::chrono::seconds(seconds ? std::atoi(seconds) : 2);
}

TEST_F(EngineChurnTest, EveryPacketMeetsAConfigurationOfItsTime) {
  std::atomic<uint64_t> begun = 0, done = 0, wanted = 0;
  Traffic traffic(begun);
  for (unsigned i = 0; i < k_workers; ++i) engine_->worker(i).observer = &traffic;
  ASSERT_TRUE(engine_->start({}, &traffic));

  std::mt19937_64 random(1);
  uint64_t sent = 0, wrong = 0, during_a_change = 0;
  std::map<DropReason, uint64_t> dropped;
  std::string first_wrong;
  const auto until = std::chrono::steady_clock::now() + duration();
  std::jthread sender([&] {
    while (std::chrono::steady_clock::now() < until) {
      const size_t size = 1 + random() % k_most_in_burst;
      traffic.settled = 0;
      wanted = done + 1;  // the next change goes along with this burst
      wanted.notify_one();
      for (uint32_t place = 0; place < size; ++place) {
        auto& each = traffic.burst[place];
        each.number = random() % k_switches;
        each.is_done = false;
        rte_mbuf* packet = buffer(this->packet(each.number, sent++, place));
        each.sent_after = done;
        traffic.send(random() % k_workers, interface_of(each.number), packet);
      }
      while (traffic.settled < size) std::this_thread::yield();
      for (size_t place = 0; place < size; ++place) {
        const auto& each = traffic.burst[place];
        bool is_right = false;
        for (uint64_t changes = each.sent_after; changes <= each.seen_before; ++changes)
          is_right = is_right || expected(each.number, changes) == each.fate;
        during_a_change += each.sent_after != each.seen_before;
        if (each.fate.reason != DropReason::none) ++dropped[each.fate.reason];
        if (is_right || wrong++ > 0) continue;
        first_wrong =
            fmt::format("kind {}, changes {} to {}: {}, not {}",
                        static_cast<int>(kind_of(each.number)), each.sent_after, each.seen_before,
                        text(each.fate), text(expected(each.number, each.sent_after)));
      }
    }
    wanted = UINT64_MAX;
    wanted.notify_one();
  });
  while (true) {
    wanted.wait(done);
    if (wanted == UINT64_MAX) break;
    if (wanted == done) continue;
    const uint64_t number = done % k_switches;
    begun = done + 1;
    change(number, throws(number, begun));
    done = begun.load();
  }
  sender.join();
  engine_->stop();
  for (unsigned i = 0; i < k_workers; ++i) engine_->worker(i).observer = nullptr;

  EXPECT_EQ(wrong, 0U) << first_wrong;
  EXPECT_EQ(traffic.settled_twice, 0U);
  EXPECT_GT(during_a_change, 0U);
  for (const auto reason :
       {DropReason::policy_denied_ingress, DropReason::service_no_backend, DropReason::unreachable})
    EXPECT_GT(dropped[reason], 0U) << text_of(reason).name;
  RecordProperty("changes", fmt::format("{}", done.load()));
  fmt::print("churn: {} changes, {} packets, {} of them during a change, {} wrong\n", done.load(),
             sent, during_a_change, wrong);
}

}  // namespace
}  // namespace margay::vector
