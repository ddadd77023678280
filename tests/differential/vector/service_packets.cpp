#include "differential/vector/service_packets.h"

#include <fmt/format.h>

#include <cstring>

#include "vector/eal.h"
#include "vector/engine.h"
#include "vector/graph/observer.h"
#include "vector/parse/bytes.h"
#include "vector/parse/parse.h"
#include "vector/service/testing/random_services.h"
#include "vector/service/testing/service_model.h"
#include "vector/testing/packet_builder.h"

namespace margay::differential {
namespace {

using base::IPAddress;
using base::Result;
using vector::BackendIdentity;
using vector::Choice;
using vector::DropReason;
using vector::FlowTuple;
using vector::InterfaceIndex;
using vector::testing::Bytes;
using vector::testing::RandomServices;

constexpr net::MacAddress k_own_mac{{2, 0, 0, 0, 0, 1}}, k_far_mac{{2, 0, 0, 0, 0, 2}};
constexpr InterfaceIndex k_uplink = 0, k_clients = 1, k_backends = 2;
constexpr uint16_t k_vxlan_port = 4789;
constexpr uint64_t k_local_clients = 24;  // the others are beyond the uplink
constexpr uint64_t k_flows_of_one_time = 2000, k_client_ports = 60000;
constexpr uint64_t k_long_ms = 24 * 60 * 60 * 1000 + 1000;

struct End {
  IPAddress address;
  uint16_t port = 0;
  bool operator==(const End&) const = default;
};
struct Ends {
  End source, destination;
  bool operator==(const Ends&) const = default;
};

std::string to_string(const Ends& ends) {
  return fmt::format("{}:{} > {}:{}", ends.source.address.to_string(), ends.source.port,
                     ends.destination.address.to_string(), ends.destination.port);
}

// What became of one packet.
struct Fate {
  DropReason reason = DropReason::none;
  size_t packets = 0;  // that came out
  InterfaceIndex interface = 0;
  Ends ends;
  bool checksums_right = true;
};

IPAddress address_of(const vector::AddressBytes& bytes, uint8_t family) {
  return *IPAddress::from_bytes({bytes.data(), family == 4 ? 4U : 16U});
}

class DropWatch : public vector::Observer {
 public:
  void see(const rte_node& node, void** /*packets*/, uint16_t /*count*/) override {
    const std::string_view name = node.name;
    for (size_t i = 1; i < vector::k_drop_reasons && name.starts_with("drop-"); ++i)
      if (vector::text_of(static_cast<DropReason>(i)).name == name.substr(5))
        last = static_cast<DropReason>(i);
  }
  DropReason last = DropReason::none;
};

class ServicePackets {
 public:
  explicit ServicePackets(uint64_t seed) : random_(seed) {}

  Result<ServicePacketsReport> run(uint64_t operations) {
    MARGAY_CHECK(set_up());
    for (; report_.operations < operations; ++report_.operations) {
      now_ms_ += random_.below(500);
      if (flows_.size() >= k_flows_of_one_time) forget_flows();
      if (random_.one_in(20))
        change();
      else if (flows_.empty() || random_.one_in(3))
        open();
      else if (random_.one_in(2))
        go_on(random_.below(flows_.size()));
      else
        answer(random_.below(flows_.size()));
    }
    if (rte_mempool_in_use_count(engine_->buffers()) != 0) mismatch("packet buffers are missing");
    return report_;
  }

 private:
  struct Flow {
    FlowTuple tuple;
    InterfaceIndex client;
    Ends from_client, at_backend;
    std::string service;
    bool masquerade = false;
    bool lost_backend = false;  // since it opened, the service was without the backend it goes to
    bool answered = false, connected = false;  // TCP

    bool is_tcp() const { return tuple.protocol == policy::k_tcp; }
    BackendIdentity backend() const {
      return {at_backend.destination.address, at_backend.destination.port};
    }
  };

  Result<> set_up() {
    if (!vector::eal_is_started()) MARGAY_CHECK(vector::start_eal({.memory_mib = 128}));
    MARGAY_TRY(engine_, vector::Engine::create({.buffers = 1023,
                                                .limits = {.sessions4 = 65536, .sessions6 = 65536},
                                                .service_limits = {.services = 16,
                                                                   .backends = 256,
                                                                   .frontends = 64,
                                                                   .affinity_clients = 4096}}));
    MARGAY_CHECK(engine_->add_interface({.name = "uplink", .mac = k_own_mac}));
    for (const char* name : {"clients", "backends"})
      MARGAY_CHECK(engine_->add_interface({.name = name, .mac = k_own_mac, .is_workload = true}));
    for (const auto family : {base::IPFamily::v4, base::IPFamily::v6})
      engine_->forwarding().set_route(base::Prefix::all(family),
                                      {.interface = k_uplink, .mac = k_far_mac});
    vector::NodeAddresses own;
    own.v4 = vector::big_endian(node_address(false).to_v4());
    own.v6.emplace();
    std::ranges::copy(node_address(true).bytes(), own.v6->begin());
    engine_->set_node_addresses(own);
    const policy::ProgramRule allow{.action = policy::Action::allow, .id = "allow"};
    engine_->apply(policy::ProfileUpdate{
        "open", std::make_shared<policy::ProgramRules>(policy::ProgramRules{{allow}, {allow}})});
    add_workload("clients", RandomServices::k_clients, k_local_clients);
    add_workload("backends", RandomServices::k_backends, RandomServices::k_most_backends);
    engine_->publish();
    engine_->worker(0).observer = &drops_;
    return {};
  }

  static IPAddress node_address(bool is_v6) { return RandomServices::address(is_v6, 9, 1); }

  void add_workload(const std::string& name, uint8_t subnet, uint64_t addresses) {
    policy::WorkloadEndpoint endpoint;
    endpoint.key = {"node", "k8s", "ns/" + name, "eth0"};
    endpoint.interface_name = name;
    endpoint.mac = k_far_mac.to_string();
    endpoint.profiles = {"open"};
    for (uint64_t host = 0; host < addresses; ++host)
      for (const bool is_v6 : {false, true})
        endpoint.addresses.push_back(RandomServices::address(is_v6, subnet, host));
    engine_->apply(policy::WorkloadUpdate{{.endpoint = endpoint, .tiers = {}}});
  }

  void change() {
    if (random_.one_in(5)) {
      const auto name = random_.name();
      engine_->remove_service(name);
      model_.remove(name);
    } else {
      const auto config = random_.config();
      if (engine_->set_service(config)) model_.set(config);
    }
    engine_->publish();
    for (Flow& flow : flows_) flow.lost_backend |= !lists_backend_of(flow);
  }

  bool lists_backend_of(const Flow& flow) const {
    const auto service = model_.services().find(flow.service);
    return service != model_.services().end() &&
           std::ranges::any_of(service->second.backends, [&](const vector::Backend& each) {
             return each.identity == flow.backend();
           });
  }

  void open() {
    if (next_port_ == k_client_ports) forget_flows();  // each port is of one flow at a time
    FlowTuple flow = random_.flow();
    flow.client_port = static_cast<uint16_t>(1024 + next_port_++);
    open(flow);
  }

  // A client's first packet.
  void open(const FlowTuple& flow) {
    const Ends ends{{address_of(flow.client, flow.family), flow.client_port},
                    {address_of(flow.service, flow.family), flow.service_port}};
    const bool is_local = ends.source.address.bytes().back() < k_local_clients;
    const InterfaceIndex from = is_local ? k_clients : k_uplink;
    const Fate fate = send(from, flow.protocol, ends, vector::testing::k_syn);
    // What comes in from outside is routed first: only addresses that are a service's alone lead
    // to services.
    if (!is_local && !is_services_alone(ends.destination.address))
      return void(expect_out(fate, k_uplink, ends, "not a service's address"));
    auto expected = model_.judge(flow, now_ms_);
    // An address that a service has for itself is never a place to send to, also where another
    // service shares it with the node.
    if (expected.result == Choice::Result::not_a_service &&
        is_services_alone(ends.destination.address))
      expected.result = Choice::Result::no_port;
    switch (expected.result) {
      case Choice::Result::not_a_service:
        expect_out(fate, k_uplink, ends, "not a service");
        return;
      case Choice::Result::chosen:
        return opened(flow, from, ends, fate, expected);
      default:
        ++report_.refused;
        if (fate.reason != drop_reason(expected.result) || fate.packets != 0)
          mismatch(fmt::format("{}: {} instead of {}", to_string(ends), text_of(fate.reason).name,
                               text_of(drop_reason(expected.result)).name));
    }
  }

  void opened(const FlowTuple& flow, InterfaceIndex from, const Ends& ends, const Fate& fate,
              const vector::testing::Expected& expected) {
    ++report_.opened;
    const BackendIdentity backend = expected.bound.value_or(expected.by_hash);
    Ends seen{ends.source, {backend.address, backend.port}};
    if (expected.masquerade)  // whatever its port
      seen.source = {node_address(flow.family == 6), fate.ends.source.port};
    if (!expect_out(fate, k_backends, seen, "opened")) return;
    model_.chosen(flow, expected.service, backend, now_ms_);
    flows_.push_back({.tuple = flow,
                      .client = from,
                      .from_client = ends,
                      .at_backend = seen,
                      .service = expected.service,
                      .masquerade = expected.masquerade});
  }

  // Takes the flow out of those that are there.
  Flow take(size_t index) {
    std::swap(flows_[index], flows_.back());
    Flow flow = std::move(flows_.back());
    flows_.pop_back();
    return flow;
  }

  // The client's next packet; of a connection that is not open yet, now and then its SYN again.
  void go_on(size_t index) {
    Flow& flow = flows_[index];
    if (flow.client == k_uplink && !is_services_alone(flow.from_client.destination.address)) return;
    const bool opens_again = flow.is_tcp() && !flow.connected && random_.one_in(2);
    if (flow.lost_backend && (opens_again || !flow.is_tcp())) {
      ++report_.moved;
      return open(take(index).tuple);
    }
    ++report_.continued;
    flow.connected |= flow.answered && !opens_again;
    expect_out(send(flow.client, flow.tuple.protocol, flow.from_client,
                    opens_again ? vector::testing::k_syn : vector::testing::k_ack),
               k_backends, flow.at_backend, "going on");
  }

  void answer(size_t index) {
    if (flows_[index].lost_backend && !flows_[index].is_tcp()) return answer_as_stranger(index);
    Flow& flow = flows_[index];
    ++report_.answered;
    flow.answered = true;
    expect_out(
        send(k_backends, flow.tuple.protocol, {flow.at_backend.destination, flow.at_backend.source},
             vector::testing::k_syn | vector::testing::k_ack),
        flow.client, {flow.from_client.destination, flow.from_client.source}, "answer");
  }

  // A datagram from what is no backend any more comes from its own address.
  void answer_as_stranger(size_t index) {
    const End& client = flows_[index].at_backend.source;
    // The node's address is not a client's; and VXLAN, by its port, is not for workloads.
    if (flows_[index].masquerade || client.port == k_vxlan_port) return;
    const Flow flow = take(index);
    const Ends ends{flow.at_backend.destination, flow.at_backend.source};
    expect_out(send(k_backends, flow.tuple.protocol, ends, 0), flow.client, ends, "stranger");
  }

  bool is_services_alone(const IPAddress& address) const {
    return std::ranges::any_of(model_.services(), [&](const auto& service) {
      return std::ranges::any_of(service.second.frontends, [&](const auto& frontend) {
        return frontend.address == address && !frontend.shared_address;
      });
    });
  }

  Fate send(InterfaceIndex interface, uint8_t protocol, const Ends& ends, uint8_t flags) {
    vector::testing::PacketBuilder builder;
    builder.ethernet().ip(ends.source.address.to_string(), ends.destination.address.to_string());
    if (protocol == policy::k_tcp)
      builder.tcp(ends.source.port, ends.destination.port, flags);
    else
      builder.udp(ends.source.port, ends.destination.port);
    const Bytes frame = builder.payload(1 + random_.below(9)).build();
    rte_mbuf* packet = rte_pktmbuf_alloc(engine_->buffers());
    std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())), frame.data(),
                frame.size());
    drops_.last = DropReason::none;
    auto& worker = engine_->worker(0);
    worker.poll(now_ms_, {interface, {&packet, 1}});
    Fate fate{.reason = drops_.last, .packets = worker.to_memory.size()};
    for (const auto& [out, left] : worker.to_memory) {
      fate.interface = out;
      read(left, fate);
      rte_pktmbuf_free(left);
    }
    worker.to_memory.clear();
    return fate;
  }

  static void read(rte_mbuf* packet, Fate& fate) {
    const std::span<const uint8_t> frame{vector::bytes(packet), packet->data_len};
    const bool is_v4 = frame[12] == 0x08;
    vector::Parsed parsed;
    fate.checksums_right = parse(frame, 14, is_v4 ? 4 : 6, parsed) == DropReason::none;
    if (!fate.checksums_right) return;
    const auto ip = frame.subspan(parsed.l3_offset);
    fate.checksums_right = vector::testing::checksums_right(
        ip, parsed.l4_offset - size_t{parsed.l3_offset}, parsed.protocol);
    const size_t size = is_v4 ? 4 : 16, source = is_v4 ? 12 : 8;
    fate.ends = {
        {*IPAddress::from_bytes(ip.subspan(source, size)), parsed.source_port},
        {*IPAddress::from_bytes(ip.subspan(source + size, size)), parsed.destination_port}};
  }

  bool expect_out(const Fate& fate, InterfaceIndex interface, const Ends& ends, const char* what) {
    if (fate.packets == 1 && fate.interface == interface && fate.ends == ends &&
        fate.checksums_right)
      return true;
    mismatch(fmt::format("{}: {} out of {} instead of {} out of {}; {} packets, dropped: {}{}",
                         what, to_string(fate.ends), fate.interface, to_string(ends), interface,
                         fate.packets, text_of(fate.reason).name,
                         fate.checksums_right ? "" : ", checksum wrong"));
    return false;
  }

  void forget_flows() {
    flows_.clear();
    next_port_ = 0;
    now_ms_ += k_long_ms;
    auto& worker = engine_->worker(0);
    worker.poll(now_ms_);
    worker.expire(std::max(worker.sessions4.places(), worker.sessions6.places()));
    if (worker.sessions4.size() + worker.sessions6.size() != 0) mismatch("sessions are left");
  }

  void mismatch(const std::string& what) {
    if (report_.mismatches++ == 0)
      report_.description = fmt::format("operation {}: {}", report_.operations, what);
  }

  RandomServices random_;
  DropWatch drops_;
  std::unique_ptr<vector::Engine> engine_;
  vector::testing::ServiceModel model_;
  std::vector<Flow> flows_;
  uint64_t now_ms_ = 1, next_port_ = 0;
  ServicePacketsReport report_;
};

}  // namespace

Result<ServicePacketsReport> judge_service_packets(uint64_t seed, uint64_t operations) {
  return ServicePackets(seed).run(operations);
}

}  // namespace margay::differential
