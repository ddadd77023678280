#include "vector/testing/engine_fixture.h"

#include <fmt/format.h>

#include "vector/eal.h"
#include "vector/graph/nodes.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"
#include "vector/parse/parse.h"

namespace margay::vector::testing {
namespace {

using base::IPAddress;
using base::Prefix;

const std::vector<std::string> k_interfaces = {"eth0", "cali-a", "cali-b"};
constexpr MacAddress k_engine_mac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress k_far_mac{{2, 0, 0, 0, 0, 2}};

rte_mbuf* buffer_of(Engine& engine, const Bytes& frame) {
  rte_mbuf* packet = rte_pktmbuf_alloc(engine.buffers());
  if (!packet) return nullptr;
  char* room = rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size()));
  if (!frame.empty()) std::memcpy(room, frame.data(), frame.size());
  return packet;
}

policy::PolicyKey policy_of(const std::string& pod) { return {.ns = "ns", .name = pod}; }

}  // namespace

void EngineFixture::start(const EngineOptions& options) {
  if (!eal_is_started()) {
    const auto started = start_eal({.memory_mib = 512});
    ASSERT_TRUE(started) << started.error().message;
  }
  engine_.reset();
  EngineOptions small = options;
  small.buffers = 4095;
  auto engine = Engine::create(small);
  ASSERT_TRUE(engine) << engine.error().message;
  engine_ = std::move(*engine);
  configure();
}

void EngineFixture::configure() {
  for (const auto& name : k_interfaces) {
    const auto added =
        engine_->add_interface({.name = name, .mac = k_engine_mac, .is_workload = name != "eth0"});
    ASSERT_TRUE(added) << added.error().message;
  }
  auto& forwarding = engine_->forwarding();
  const NextHop router{.interface = index_of("eth0"), .mac = k_far_mac};
  const NextHop own{.kind = Adjacency::Kind::local};
  forwarding.set_route(Prefix::all(base::IPFamily::v4), router);
  forwarding.set_route(Prefix::all(base::IPFamily::v6), router);
  forwarding.set_route(*Prefix::parse("172.18.0.1"), own);
  forwarding.set_route(*Prefix::parse("fd00:172::1"), own);
  NodeAddresses addresses;
  addresses.v4 = big_endian(uint32_t{0xac120001});
  addresses.v6.emplace();
  std::ranges::copy(IPAddress::parse("fd00:172::1")->bytes(), addresses.v6->begin());
  engine_->set_node_addresses(addresses);
  engine_->apply(policy::ProfileUpdate{
      "open", std::make_shared<policy::ProgramRules>(policy::ProgramRules{
                  {rule(policy::Action::allow)}, {rule(policy::Action::allow)}})});
  set_workload("a", false);
  set_workload("b", false);
}

policy::ProgramRule EngineFixture::rule(policy::Action action) {
  return {.action = action, .id = fmt::format("rule-{}", static_cast<int>(action))};
}

void EngineFixture::set_workload(const std::string& pod, bool has_policy, bool up) {
  policy::WorkloadEndpoint endpoint;
  endpoint.key = {"node", "k8s", "ns/" + pod, "eth0"};
  endpoint.interface_name = "cali-" + pod;
  endpoint.mac = k_far_mac.to_string();
  endpoint.profiles = {"open"};
  endpoint.admin_up = up;
  const char* number = pod == "a" ? "1" : "2";
  endpoint.addresses = {*IPAddress::parse(std::string("10.65.0.") + number),
                        *IPAddress::parse(std::string("fd00::") + number)};
  std::vector<policy::ProgramTier> tiers;
  if (has_policy)
    tiers = {{.name = "default", .ingress = {policy_of(pod)}, .egress = {policy_of(pod)}}};
  engine_->apply(policy::WorkloadUpdate{{.endpoint = endpoint, .tiers = tiers}});
  engine_->publish();
}

void EngineFixture::set_policy(const std::string& pod, std::vector<policy::ProgramRule> ingress,
                               std::vector<policy::ProgramRule> egress) {
  engine_->apply(policy::PolicyUpdate{
      policy_of(pod), std::make_shared<policy::ProgramRules>(
                          policy::ProgramRules{std::move(ingress), std::move(egress)})});
  set_workload(pod, true);
}

InterfaceIndex EngineFixture::index_of(const std::string& interface) const {
  return static_cast<InterfaceIndex>(std::ranges::find(k_interfaces, interface) -
                                     k_interfaces.begin());
}

PacketBuilder EngineFixture::from(const std::string& /*interface*/) {
  PacketBuilder builder;
  builder.ethernet();
  return builder;
}

Bytes EngineFixture::tcp(const char* source, uint16_t source_port, const char* destination,
                         uint16_t destination_port, uint8_t flags) {
  return from("").ip(source, destination).tcp(source_port, destination_port, flags).build();
}

Bytes EngineFixture::udp(const char* source, uint16_t source_port, const char* destination,
                         uint16_t destination_port, size_t payload) {
  return from("")
      .ip(source, destination)
      .udp(source_port, destination_port)
      .payload(payload)
      .build();
}

Bytes EngineFixture::without_ethernet(const Bytes& frame) {
  return {frame.begin() + k_ethernet_header, frame.end()};
}

Bytes EngineFixture::with_ethernet(const Bytes& packet) {
  Bytes frame = from("").ether_type(0x0800).build();
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

void EngineFixture::add_service(const char* address, const std::vector<const char*>& backends,
                                bool masquerade) {
  ServiceConfig config{.name = std::string("service ") + address};
  config.frontends = {{.address = *IPAddress::parse(address),
                       .protocol = protocol::k_tcp,
                       .port = 80,
                       .masquerade = masquerade}};
  for (const char* backend : backends)
    config.backends.push_back({.identity = {*IPAddress::parse(backend), 8080}, .ready = true});
  const auto set = engine_->set_service(config);
  ASSERT_TRUE(set) << set.error().message;
  engine_->publish();
}

bool EngineFixture::work(std::vector<Sent>& out) {
  bool moved = false;
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    Worker& worker = engine_->worker(i);
    moved = worker.poll(now_ms_) > 0 || moved;
    for (const auto& [interface, packet] : worker.to_memory) {
      const uint8_t* frame = bytes(packet);
      out.push_back({k_interfaces.at(interface), Bytes(frame, frame + packet->data_len)});
      rte_pktmbuf_free(packet);
    }
    moved = moved || !worker.to_memory.empty();
    worker.to_memory.clear();
  }
  return moved;
}

std::vector<Sent> EngineFixture::send_all(const std::string& interface,
                                          const std::vector<Bytes>& frames) {
  std::vector<rte_mbuf*> packets;
  for (const auto& frame : frames) {
    packets.push_back(buffer_of(*engine_, frame));
    EXPECT_TRUE(packets.back());
  }
  std::vector<Sent> out;
  engine_->worker(0).poll(now_ms_, {index_of(interface), packets});
  while (work(out)) {
  }
  return out;
}

std::vector<Sent> EngineFixture::send(const std::string& interface, const Bytes& frame) {
  return send_all(interface, {frame});
}

EngineFixture::Texts EngineFixture::leave_all(const std::string& interface,
                                              const std::vector<Bytes>& frames) {
  Texts texts;
  for (const auto& sent : send_all(interface, frames))
    texts.push_back(sent.interface + " " + flow_text(sent.frame));
  return texts;
}

EngineFixture::Texts EngineFixture::leave(const std::string& interface, const Bytes& frame) {
  return leave_all(interface, {frame});
}

uint64_t EngineFixture::drops(DropReason reason) const {
  uint64_t count = 0;
  const std::string name = fmt::format("drop-{}", text_of(reason).name);
  for (unsigned i = 0; i < engine_->workers(); ++i)
    for (const auto& node : node_counts(engine_->worker(i).graph))
      if (node.name == name) count += node.packets;
  return count;
}

std::string EngineFixture::all_drops() const {
  std::string text;
  for (size_t i = 0; i < k_drop_reasons; ++i)
    if (const uint64_t count = drops(static_cast<DropReason>(i)))
      text += fmt::format("{}: {} ", text_of(static_cast<DropReason>(i)).name, count);
  return text;
}

uint32_t EngineFixture::sessions() const {
  uint32_t count = 0;
  for (unsigned i = 0; i < engine_->workers(); ++i)
    count += engine_->worker(i).sessions4.size() + engine_->worker(i).sessions6.size();
  return count;
}

void EngineFixture::expire_sessions() {
  for (unsigned i = 0; i < engine_->workers(); ++i) {
    Worker& worker = engine_->worker(i);
    worker.poll(now_ms_);
    worker.expire(std::max(worker.sessions4.places(), worker.sessions6.places()));
  }
}

void EngineFixture::TearDown() {
  if (!engine_) return;
  pass_time(60'000);  // fragments that wait for their first one go
  std::vector<Sent> out;
  for (int round = 0; round < 8; ++round) work(out);
  EXPECT_EQ(rte_mempool_in_use_count(engine_->buffers()), 0U) << "packet buffers are missing";
  engine_.reset();
}

std::string flow_text(const Bytes& frame) {
  Parsed parsed;
  const uint8_t family = frame.size() > 14 && frame[12] == 0x08 ? 4 : 6;
  if (parse(frame, 14, family, parsed) != DropReason::none) return "unreadable";
  const uint8_t* source = frame.data() + 14 + (family == 4 ? 12 : 8);
  const size_t size = family == 4 ? 4 : 16;
  return fmt::format("{}:{} > {}:{}", IPAddress::from_bytes({source, size})->to_string(),
                     parsed.source_port, IPAddress::from_bytes({source + size, size})->to_string(),
                     parsed.destination_port);
}

}  // namespace margay::vector::testing
