#include "graph_world.h"

#include <rte_graph_worker.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "graph_watch.h"
#include "vector/eal.h"
#include "vector/graph/nodes.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"

namespace margay::fuzz {

using namespace vector;
using base::IPAddress;
using base::Prefix;

namespace {

constexpr MacAddress k_engine_mac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress k_far_mac{{2, 0, 0, 0, 0, 2}};
constexpr const char* k_names[k_ports] = {"eth0", "cali-a", "cali-b", "cali-c", "cali-d"};
constexpr uint64_t k_longer_than_anything_ms = 1'000'000;
constexpr size_t k_segment_room = 1024;

policy::WorkloadKey key_of(Pod pod) {
  return {"node", "k8s", std::string("ns/") + static_cast<char>('a' + static_cast<int>(pod)),
          "eth0"};
}
policy::PolicyKey policy_of(Pod pod) { return {.ns = "ns", .name = key_of(pod).workload}; }
Port port_of(Pod pod) { return static_cast<Port>(static_cast<int>(pod) + 1); }

policy::ProgramRule rule(policy::Action action, std::optional<uint8_t> proto = {},
                         uint16_t port = 0) {
  policy::ProgramRule rule{.action = action, .protocol = proto, .id = "rule"};
  if (port != 0) rule.destination.ports = {{port, port}};
  return rule;
}

EngineOptions options(PolicyChangeAppliesTo policy_change_applies_to) {
  return {
      .workers = 2,
      .buffers = 1023,
      .limits = {.sessions4 = 24,
                 .sessions6 = 24,
                 .sessions_of_endpoint = 16,
                 .reassembly = {.packets = 6,
                                .fragments = 6,
                                .held = 8,
                                .held_of_packet = 4,
                                .timeout_ms = 2000}},
      .service_limits = {.services = 16, .backends = 64, .frontends = 64, .affinity_clients = 16},
      .timeouts = {.tcp_opening = 6000,
                   .tcp_established = 60'000,
                   .tcp_closing = 6000,
                   .tcp_reset = 1000,
                   .udp_one_way = 3000,
                   .udp = 18'000,
                   .icmp = 3000,
                   .other = 60'000},
      .policy_change_applies_to = policy_change_applies_to};
}

ServiceConfig service(const char* name, const char* v4, const char* v6, uint8_t backends) {
  ServiceConfig config{.name = name};
  for (const char* address : {v4, v6})
    for (const uint8_t proto : {protocol::k_tcp, protocol::k_udp, protocol::k_sctp})
      config.frontends.push_back(
          {.address = *IPAddress::parse(address), .protocol = proto, .port = 80});
  constexpr const char* k_backends[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.1",
                                        "fd00::1",  "fd00::2",  "fd00::3",  "2001:db8::1"};
  for (size_t i = 0; i < 8; ++i)
    if (backends & 1 << i % 4)
      config.backends.push_back({.identity = {*IPAddress::parse(k_backends[i]), 88},
                                 .ready = (backends & 16 << i % 4) == 0,
                                 .draining = (backends & 16 << i % 4) != 0,
                                 .local = i % 4 != 3});
  return config;
}

}  // namespace

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void GraphWorld::FreeWatch::operator()(Watch* watch) const { delete watch; }

GraphWorld::GraphWorld(PolicyChangeAppliesTo policy_change_applies_to) : watch_(new Watch) {
  if (!eal_is_started()) require(start_eal({.memory_mib = 256}).has_value(), "the EAL starts");
  auto engine = Engine::create(options(policy_change_applies_to));
  require(engine.has_value(), "the engine is made");
  engine_ = std::move(*engine);
  for (unsigned i = 0; i < engine_->workers(); ++i) engine_->worker(i).observer = watch_.get();
  finish();
}

// ---- configuration ----

void GraphWorld::configure() {
  for (size_t i = 0; i < k_ports; ++i) set_port(static_cast<Port>(i), i != 4);
  const NextHop own{.kind = Adjacency::Kind::local};
  auto& forwarding = engine_->forwarding();
  forwarding.set_route(*Prefix::parse("172.18.0.1"), own);
  forwarding.set_route(*Prefix::parse("fd00:172::1"), own);
  const NextHop router{.interface = *ports_[0], .mac = k_far_mac};
  forwarding.set_route(Prefix::all(base::IPFamily::v4), router);
  forwarding.set_route(Prefix::all(base::IPFamily::v6), router);
  set_route(0);
  set_node_addresses(true);
  engine_->apply(policy::ProfileUpdate{
      "open", std::make_shared<policy::ProgramRules>(policy::ProgramRules{
                  {rule(policy::Action::allow)}, {rule(policy::Action::allow)}})});
  for (const auto pod : {Pod::a, Pod::b, Pod::c}) {
    set_policy(pod, 0);
    set_workload(pod, true, true);
  }
  set_service(0x0f);
  set_masquerading_service(true, 0x0b);
  publish();
  routed_ = {true, true, true};
  changed_ = false;
}

void GraphWorld::set_policy(Pod pod, uint8_t variant) {
  using policy::Action;
  changed_ = true;
  policy::ProgramRules rules{{rule(Action::allow)}, {rule(Action::allow)}};
  if (variant & 1) rules.ingress = {rule(Action::allow, policy::k_tcp, 88)};
  if (variant & 2) rules.ingress = {rule(Action::deny)};
  if (variant & 4) rules.egress = {rule(Action::allow, protocol::k_udp)};
  if (variant & 8) rules.egress = {rule(Action::deny)};
  if (pod == Pod::c) rules = {{rule(Action::deny)}, {rule(Action::allow)}};
  engine_->apply(policy::PolicyUpdate{policy_of(pod),
                                      std::make_shared<policy::ProgramRules>(std::move(rules))});
}

void GraphWorld::set_workload(Pod pod, bool there, bool up) {
  changed_ = true;
  if (!there) {
    routed_[static_cast<size_t>(pod)] = false;
    engine_->apply(policy::WorkloadRemove{key_of(pod)});
    return;
  }
  const std::string number(1, static_cast<char>('1' + static_cast<int>(pod)));
  policy::WorkloadEndpoint endpoint;
  endpoint.key = key_of(pod);
  endpoint.interface_name = k_names[static_cast<size_t>(fuzz::port_of(pod))];
  endpoint.mac = k_far_mac.to_string();
  endpoint.profiles = {"open"};
  endpoint.admin_up = up;
  endpoint.addresses = {*IPAddress::parse("10.0.0." + number),
                        *IPAddress::parse("fd00::" + number)};
  engine_->apply(policy::WorkloadUpdate{
      {.endpoint = endpoint,
       .tiers = {{.name = "default", .ingress = {policy_of(pod)}, .egress = {policy_of(pod)}}}}});
}

void GraphWorld::set_service(uint8_t backends) {
  changed_ = true;
  require(engine_->set_service(service("plain", "10.96.0.1", "fd96::1", backends)).has_value(),
          "a service is taken");
}

void GraphWorld::set_masquerading_service(bool there, uint8_t backends) {
  changed_ = true;
  if (!there) {
    engine_->remove_service("masquerading");
    return;
  }
  auto config = service("masquerading", "10.96.0.2", "fd96::2", backends);
  for (auto& frontend : config.frontends) frontend.masquerade = true;
  config.affinity_seconds = 2;
  require(engine_->set_service(config).has_value(), "a service is taken");
}

void GraphWorld::set_route(uint8_t variant) {
  changed_ = true;
  for (const char* text : {"10.9.0.0/16", "fd09::/16"}) {
    const auto prefix = *Prefix::parse(text);
    if (variant % 4 == 0) {
      engine_->forwarding().erase_route(prefix);
      continue;
    }
    NextHop next_hop{.interface = *ports_[0], .mac = k_far_mac};
    if (variant % 4 == 1) next_hop.kind = Adjacency::Kind::unreachable;
    if (variant % 4 == 2) next_hop.mac = {};
    if (variant % 4 == 3) next_hop.mac.bytes[5] = 3;
    engine_->forwarding().set_route(prefix, next_hop);
  }
}

void GraphWorld::set_port(Port port, bool there) {
  auto& index = ports_[static_cast<size_t>(port)];
  if (index.has_value() == there) return;
  changed_ = true;
  const char* name = k_names[static_cast<size_t>(port)];
  if (!there) {
    flush();
    require(engine_->remove_interface(name).has_value(), "an interface is removed");
    index = {};
    if (port != Port::eth0 && port != Port::cali_d) routed_[static_cast<size_t>(port) - 1] = false;
    return;
  }
  const auto added =
      engine_->add_interface({.name = name,
                              .mac = k_engine_mac,
                              .mtu = port == Port::eth0 ? uint16_t{1500} : uint16_t{1400},
                              .is_workload = port != Port::eth0});
  require(added.has_value(), "an interface is added");
  index = *added;
}

void GraphWorld::set_node_addresses(bool there) {
  changed_ = true;
  NodeAddresses addresses;
  if (there) {
    addresses.v4 = big_endian(uint32_t{0xac120001});
    addresses.v6.emplace();
    std::ranges::copy(IPAddress::parse("fd00:172::1")->bytes(), addresses.v6->begin());
  }
  engine_->set_node_addresses(addresses);
}

// ---- packets ----

std::optional<Port> GraphWorld::port_of(InterfaceIndex interface) const {
  for (size_t i = 0; i < k_ports; ++i)
    if (ports_[i] == interface) return static_cast<Port>(i);
  return {};
}

void GraphWorld::send(Port port, unsigned worker, const Frame& frame, unsigned segments) {
  if (!ports_[static_cast<size_t>(port)]) return;
  if (waiting_port_ != port || waiting_worker_ != worker || waiting_.size() == k_most_batch)
    flush();
  waiting_port_ = port;
  waiting_worker_ = worker;
  rte_mbuf* packet = rte_pktmbuf_alloc(engine_->buffers());
  if (!packet) return;
  const size_t part = std::min(k_segment_room, frame.size() / segments + 1);
  for (size_t at = 0; at < frame.size();) {
    const size_t bytes =
        std::min(segments == 1 && frame.size() <= 2 * k_segment_room ? frame.size() : part,
                 frame.size() - at);
    if (at > 0) {
      rte_mbuf* last = rte_pktmbuf_alloc(engine_->buffers());
      if (!last || rte_pktmbuf_chain(packet, last) != 0) {
        rte_pktmbuf_free(last);
        rte_pktmbuf_free(packet);
        return;
      }
    }
    std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(bytes)), frame.data() + at, bytes);
    at += bytes;
  }
  packet->hash.usr = tag_of(frame, static_cast<uint8_t>(port));
  if (port == Port::cali_c) note_opened(frame);
  waiting_.push_back(packet);
  ++in_;
}

void GraphWorld::flush() {
  if (waiting_.empty()) return;
  const auto packets = std::exchange(waiting_, {});
  engine_->worker(waiting_worker_)
      .poll(now_ms_, {*ports_[static_cast<size_t>(waiting_port_)], packets});
  collect(waiting_worker_);
}

void GraphWorld::poll(unsigned worker) {
  engine_->worker(worker).poll(now_ms_);
  collect(worker);
}

void GraphWorld::pass_time(uint64_t ms) {
  now_ms_ += ms;
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    poll(i);
    engine_->worker(i).expire(64);
  }
}

void GraphWorld::hoard(unsigned left) {
  for (rte_mbuf* each : hoard_) rte_pktmbuf_free(each);
  hoard_.clear();
  while (rte_mempool_avail_count(engine_->buffers()) > left)
    hoard_.push_back(rte_pktmbuf_alloc(engine_->buffers()));
}

void GraphWorld::collect(unsigned index) {
  Worker& worker = engine_->worker(index);
  for (const auto& [interface, packet] : worker.to_memory) {
    check(interface, packet);
    const uint8_t* frame = bytes(packet);
    left_.push_back({*port_of(interface), Frame(frame, frame + packet->data_len)});
    if (left_.size() > 16) left_.pop_front();
    rte_pktmbuf_free(packet);
    ++out_;
  }
  worker.to_memory.clear();
}

// Whether something moved.
bool GraphWorld::settle() {
  const uint64_t before = out_;
  bool moved = false;
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    moved = engine_->worker(i).poll(now_ms_) > 0 || moved;
    collect(i);
  }
  return moved || out_ != before;
}

uint64_t GraphWorld::dropped() const {
  uint64_t count = 0;
  for (unsigned i = 0; i < engine_->workers(); ++i)
    for (const auto& node : node_counts(engine_->worker(i).graph))
      if (node.name.starts_with("drop-")) count += node.packets;
  return count;
}

void GraphWorld::finish() {
  flush();
  for (rte_mbuf* each : std::exchange(hoard_, {})) rte_pktmbuf_free(each);
  while (settle()) {
  }
  check_sessions();
  for (int round = 0; round < 10; ++round) {
    pass_time(round == 0 ? k_longer_than_anything_ms : 1);  // one fragmented packet a round expires
  }
  pass_time(k_longer_than_anything_ms);
  while (settle()) {
  }
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    Worker& worker = engine_->worker(i);
    require(worker.sessions4.size() == 0 && worker.sessions6.size() == 0, "sessions time out");
    require(worker.reassembly.packets() == 0 && worker.reassembly.held() == 0,
            "fragments time out");
    static const std::vector<uint32_t> none(k_most_adjacencies);
    require(worker.sessions_of_adjacency == none, "no endpoint has sessions that are gone");
  }
  require(rte_mempool_in_use_count(engine_->buffers()) == 0, "every packet buffer is back");
  const uint64_t dropped_now = dropped();
  require(in_ + watch_->made() == out_ + dropped_now - dropped_before_,
          "every packet is counted once");
  in_ = out_ = 0;
  watch_->forget();
  dropped_before_ = dropped_now;
  left_.clear();
  opened_by_c_.clear();
  if (changed_) configure();
}

template <typename Tuple>
void check_table(Worker& worker, std::map<AdjacencyIndex, uint32_t>& counts) {
  const auto& table = worker.sessions<Tuple>();
  uint32_t count = 0;
  require(table.size() <= table.most(), "sessions are no more than may be");
  table.for_each([&](const Session<Tuple>& session) {
    ++count;
    for (const auto direction : {FlowDirection::forward, FlowDirection::reverse}) {
      if (session.flags & k_owned_elsewhere && direction == FlowDirection::forward) continue;
      const auto& tuple = session.tuple[static_cast<size_t>(direction)];
      const auto found = table.find(table.hash(tuple, session.protocol), tuple, session.protocol);
      require(found && found.index() == table.ref(session, direction).index(),
              "a session is found by either direction");
      if (!(session.flags & k_owned_elsewhere))
        ++counts[session.adjacency[static_cast<size_t>(direction)]];
    }
  });
  require(count == table.size(), "sessions are counted");
}

void GraphWorld::check_sessions() {
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    Worker& worker = engine_->worker(i);
    std::map<AdjacencyIndex, uint32_t> counts;
    check_table<Tuple4>(worker, counts);
    check_table<Tuple6>(worker, counts);
    for (const auto& [adjacency, count] : counts)
      require(worker.sessions_of_adjacency[adjacency] == count,
              "an endpoint's sessions are counted");
  }
}

}  // namespace margay::fuzz
