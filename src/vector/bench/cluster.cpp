#include "vector/bench/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "vector/bench/frame.h"
#include "vector/nodes/tuple.h"
#include "vector/parse/parse.h"

namespace margay::vector::bench {
namespace {

using base::IPAddress;
using base::Prefix;
using base::Result;

constexpr uint32_t k_pod = 0x0a000001;       // 10.0.0.1
constexpr uint32_t k_services = 0x0a600000;  // 10.96.0.0/12: service n has the n-th address
constexpr uint32_t k_backends = 0x0a800000;  // 10.128.0.0/9: service n's from 16 n on
constexpr uint32_t k_rules = 0xac000000;     // 172.0.0.0/8: rule n allows the n-th /24
constexpr uint32_t k_members = 0xc0000000;   // 192.0.0.0/8: every second address
constexpr uint16_t k_service_port = 80, k_backend_port = 8080, k_rule_port = 1000;
constexpr uint32_t k_backends_of_service = 16;
constexpr uint64_t k_ports = 60000, k_first_port = 1024;
constexpr MacAddress k_router_mac{{2, 0, 0, 0, 0, 3}};

IPAddress v6_of(uint32_t v4) {
  std::array<uint8_t, 16> bytes{0xfd, 0x00};
  store_be(bytes.data() + 12, v4);
  return IPAddress::v6(bytes);
}

uint16_t port_of(uint64_t number) {
  return big_endian(static_cast<uint16_t>(k_first_port + number % k_ports));
}

template <typename Tuple>
uint32_t destination_of(const Tuple& tuple) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&tuple.destination);
  return load_be<uint32_t>(bytes + sizeof(tuple.destination) - 4);
}

template <typename Tuple>
bool leaves_for_backend(rte_mbuf* packet, const Tuple& flow) {
  Parsed parsed;
  if (parse({bytes(packet), packet->data_len}, k_ethernet_header,
            sizeof(Tuple::source) == 4 ? 4 : 6, parsed) != DropReason::none)
    return false;
  const auto after = tuple_of<Tuple>(bytes(packet) + parsed.l3_offset, parsed);
  const uint32_t service = destination_of(flow) - k_services;
  const uint32_t backend = destination_of(after) - k_backends;
  return backend / k_backends_of_service == service &&
         after.destination_port == big_endian(k_backend_port) && after.source == flow.source &&
         after.source_port == flow.source_port && is_forwarded(packet, k_router_mac, after);
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::make(const ClusterOptions& options) {
  std::unique_ptr<Cluster> cluster(new Cluster(options));
  MARGAY_TRY(cluster->engine_,
             Engine::create({.limits = {.sessions4 = options.sessions,
                                        .sessions6 = options.sessions,
                                        .sessions_of_endpoint = options.sessions}}));
  Engine& engine = *cluster->engine_;
  MARGAY_TRY(cluster->pod_,
             engine.add_interface({.name = "cali0", .mac = k_our_mac, .is_workload = true}));
  MARGAY_TRY(cluster->uplink_, engine.add_interface({.name = "eth0", .mac = k_our_mac}));
  for (const auto family : {base::IPFamily::v4, base::IPFamily::v6})
    engine.forwarding().set_route(Prefix::all(family),
                                  {.interface = cluster->uplink_, .mac = k_router_mac});
  cluster->add_policy();
  MARGAY_CHECK(cluster->add_services());
  engine.publish();
  return cluster;
}

void Cluster::add_policy() {
  const policy::PolicyKey key{.name = "bench"};
  auto rules = std::make_shared<policy::ProgramRules>();
  for (uint64_t n = 0; n + 1 < options_.rules; ++n) {
    policy::ProgramRule rule{.protocol = policy::k_tcp, .id = fmt::format("rule-{}", n)};
    rule.destination.nets = {Prefix(IPAddress::v4(k_rules + static_cast<uint32_t>(n << 8)), 24)};
    rule.destination.ports = {{k_rule_port, static_cast<uint16_t>(k_rule_port + n % 1000)}};
    rules->egress.push_back(std::move(rule));
  }
  policy::SetUpdate set{.id = "members", .type = policy::SetType::nets, .members = {}};
  for (uint64_t n = 0; n < options_.set_members; ++n)
    set.members.insert({Prefix(IPAddress::v4(k_members + static_cast<uint32_t>(2 * n)))});
  for (const uint32_t backends : {k_backends}) {
    set.members.insert({Prefix(IPAddress::v4(backends), 9)});
    set.members.insert({Prefix(v6_of(backends), 128 - 23)});
  }
  policy::ProgramRule last{.protocol = policy::k_tcp, .id = "last"};
  last.destination.sets = {"members"};
  rules->egress.push_back(std::move(last));

  policy::WorkloadEndpoint endpoint;
  endpoint.key = {.node = "node", .orchestrator = "k8s", .workload = "ns/pod", .endpoint = "eth0"};
  endpoint.interface_name = "cali0";
  endpoint.mac = k_peer_mac.to_string();
  endpoint.addresses = {IPAddress::v4(k_pod), v6_of(k_pod)};
  engine_->apply(std::move(set));
  engine_->apply(policy::PolicyUpdate{key, rules});
  engine_->apply(policy::WorkloadUpdate{
      {.endpoint = endpoint, .tiers = {{.name = "default", .ingress = {}, .egress = {key}}}}});
}

Result<> Cluster::add_services() {
  for (uint64_t n = 0; n < options_.services; ++n) {
    ServiceConfig config{.name = fmt::format("service-{}", n)};
    const auto number = static_cast<uint32_t>(n);
    for (const bool v6 : {false, true}) {
      const auto address = [v6](uint32_t v4) { return v6 ? v6_of(v4) : IPAddress::v4(v4); };
      config.frontends.push_back({.address = address(k_services + number),
                                  .protocol = protocol::k_tcp,
                                  .port = k_service_port});
      for (uint32_t b = 0; b < options_.backends_of_service; ++b)
        config.backends.push_back(
            {.identity = {address(k_backends + k_backends_of_service * number + b), k_backend_port},
             .ready = true});
    }
    MARGAY_CHECK(engine_->set_service(config));
  }
  return {};
}

Tuple4 Cluster::to_service4(uint64_t flow) const {
  const auto service = static_cast<uint32_t>(flow % options_.services);
  return {big_endian(k_pod), big_endian(k_services + service), port_of(flow / options_.services),
          big_endian(k_service_port)};
}

Tuple6 Cluster::to_service6(uint64_t flow) const {
  const auto service = static_cast<uint32_t>(flow % options_.services);
  Tuple6 tuple;
  std::ranges::copy(v6_of(k_pod).bytes(), tuple.source.begin());
  std::ranges::copy(v6_of(k_services + service).bytes(), tuple.destination.begin());
  tuple.source_port = port_of(flow / options_.services);
  tuple.destination_port = big_endian(k_service_port);
  return tuple;
}

Tuple4 Cluster::to_rule4(uint64_t flow) const {
  const uint64_t rule = flow % options_.rules, number = flow / options_.rules;
  Tuple4 tuple{big_endian(k_pod), 0, port_of(number), 0};
  const auto host = static_cast<uint32_t>(number / k_ports);
  if (rule + 1 == options_.rules) {
    const uint64_t member = (number * 2654435761U) % std::max<uint64_t>(1, options_.set_members);
    tuple.destination = big_endian(k_members + static_cast<uint32_t>(2 * member));
    tuple.destination_port = big_endian(static_cast<uint16_t>(1 + host));
  } else {
    tuple.destination = big_endian(k_rules + static_cast<uint32_t>(rule << 8) + (host & 0xff));
    tuple.destination_port = big_endian(k_rule_port);
  }
  return tuple;
}

bool Cluster::left_for_backend(rte_mbuf* packet, InterfaceIndex out, const Tuple4& flow) const {
  return out == uplink_ && leaves_for_backend(packet, flow);
}
bool Cluster::left_for_backend(rte_mbuf* packet, InterfaceIndex out, const Tuple6& flow) const {
  return out == uplink_ && leaves_for_backend(packet, flow);
}
bool Cluster::left_unchanged(rte_mbuf* packet, InterfaceIndex out, const Tuple4& flow) const {
  return out == uplink_ && is_forwarded(packet, k_router_mac, flow);
}

}  // namespace margay::vector::bench
