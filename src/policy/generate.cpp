#include "policy/generate.h"

#include <fmt/core.h>

#include <algorithm>

#include "policy/generate_objects.h"
#include "policy/protocol.h"
#include "policy/workload_interfaces.h"

namespace margay::policy {
namespace {

constexpr int k_vxlan_port = 4789;

// Could a packet with this address be sent over a real network?
bool is_global_unicast(const IPAddress& address) {
  const uint8_t first = address.bytes()[0];
  if (address.is_v6()) return (first >= 0x20 && first <= 0x3f) || first == 0xfd;
  return first >= 1 && first <= 223 && first != 127 && !(first == 169 && address.bytes()[1] == 254);
}

void add_edges(std::vector<IPAddress>& addresses, const Prefix& net) {
  addresses.push_back(net.address());
  addresses.push_back(net.address().plus(1));
  addresses.push_back(net.last());
  addresses.push_back(net.last().plus(1));
}

// Addresses of everything in the model, and those beside the nets that rules name.
std::vector<IPAddress> interesting_addresses(const Model& model, IPFamily family) {
  std::vector<IPAddress> addresses;
  for (const auto& [key, endpoint] : model.workloads)
    addresses.insert(addresses.end(), endpoint.addresses.begin(), endpoint.addresses.end());
  for (const auto& [key, endpoint] : model.host_endpoints)
    addresses.insert(addresses.end(), endpoint.expected_addresses.begin(),
                     endpoint.expected_addresses.end());
  for (const auto& [key, set] : model.network_sets)
    for (const Prefix& net : set.nets) add_edges(addresses, net);
  for (const Prefix& net : vocabulary_nets()) add_edges(addresses, net);
  for (const char* outside : {"203.0.113.77", "2001:db8:ffff::77"})
    addresses.push_back(*IPAddress::parse(outside));
  std::erase_if(addresses, [family](const IPAddress& address) {
    return address.family() != family || !is_global_unicast(address);
  });
  return addresses;
}

uint16_t random_port(Random& random, const std::vector<NamedPort>& named) {
  int port = static_cast<int>(1 + random.below(65535));
  if (!named.empty() && random.chance(30)) {
    port = random.pick(named).port;
  } else if (random.chance(85)) {
    const PortRange range = random.pick(vocabulary_ports());
    port = random.pick({+range.first, +range.last, range.first - 1, range.last + 1, 53, 9090});
  }
  port = std::clamp(port, 1, 65535);
  return static_cast<uint16_t>(port == k_vxlan_port ? port - 1 : port);
}

bool belongs(uint8_t protocol, IPFamily family) {
  return protocol != (family == IPFamily::v4 ? k_icmpv6 : k_icmp);
}

}  // namespace

Generator::Generator(uint64_t seed, GenerateOptions options)
    : options_(std::move(options)), random_(seed) {}

Model Generator::model() {
  Model model;
  const auto nodes = vocabulary_nodes(options_);
  const auto put = [&model](auto& table, auto key, auto value) {
    table.insert_or_assign(std::move(key), std::move(value));
  };

  put(model.tiers, std::string("default"), Tier{"default", 100.0});
  for (const std::string& name : vocabulary_tiers())
    if (options_.extra_tiers && name != "default" && name != "not-there")
      put(model.tiers, name, random_tier(random_, name));
  for (const std::string& name : vocabulary_profiles())
    if (name != "not-there") put(model.profiles, name, random_profile(random_, options_, name));
  for (size_t i = 0; i < options_.policies; ++i) {
    const PolicyKey key = random_policy_key(random_, options_, i);
    put(model.policies, key, random_policy(random_, options_, key));
  }
  for (size_t i = 0; i < options_.workloads; ++i) {
    const std::string node = i == 0 || random_.chance(40) ? options_.node : random_.pick(nodes);
    const WorkloadKey key = workload_key(node, i);
    WorkloadEndpoint endpoint = random_workload(random_, options_, key, i);
    while (i == 0 && (endpoint.addresses.empty() || !endpoint.admin_up ||
                      !WorkloadInterfaces().contains(endpoint.interface_name)))
      endpoint = random_workload(random_, options_, key, i);
    put(model.workloads, key, std::move(endpoint));
  }
  for (size_t i = 0; i < options_.network_sets; ++i) {
    const NetworkSetKey key{random_.pick({"", "red", "green"}), fmt::format("set-{}", i)};
    put(model.network_sets, key, random_network_set(random_, options_, key));
  }
  for (size_t i = 0; options_.host_endpoints && i < 3; ++i) {
    const std::string node = random_.chance(40) ? options_.node : random_.pick(nodes);
    const HostEndpointKey key{node, fmt::format("host-{}", i)};
    put(model.host_endpoints, key, random_host_endpoint(random_, key));
  }
  for (const char* name : {"eth0", "eth1"})
    put(model.interfaces, std::string(name), random_interface(random_, name));
  for (size_t i = 0; i < 4; ++i) {
    const Service service = random_service(random_, i);
    put(model.services, service.key, service);
    const EndpointSlice slice = random_slice(random_, nodes, i);
    put(model.endpoint_slices, slice.key, slice);
  }
  for (const Prefix& cidr : vocabulary_pools(options_)) {
    const std::string name = cidr.family() == IPFamily::v4 ? "pool-v4" : "pool-v6";
    put(model.pools, name, random_pool(random_, name, cidr));
  }
  for (size_t i = 0; i < nodes.size(); ++i)
    put(model.hosts, nodes[i], random_host(random_, nodes[i], i));
  for (const Prefix& cidr : vocabulary_blocks())
    if (random_.chance(80)) put(model.blocks, cidr, random_block(random_, nodes, cidr));
  return model;
}

HostTrafficSettings Generator::settings() { return random_host_traffic_settings(random_); }

PacketGenerator::PacketGenerator(Random& random, const GenerateOptions& options, const Model& model)
    : random_(random),
      options_(options),
      v4_(interesting_addresses(model, IPFamily::v4)),
      v6_(interesting_addresses(model, IPFamily::v6)) {}

Packet PacketGenerator::packet(const WorkloadEndpoint& endpoint, Direction direction) {
  const IPAddress own = random_.pick(endpoint.addresses);
  IPAddress other = own;
  while (other == own) other = address(own.family());  // one is outside the model
  const bool ingress = direction == Direction::ingress;
  Packet made = ingress ? packet(other, own, endpoint.ports) : packet(own, other, endpoint.ports);
  if (endpoint.ports.empty() || !has_ports(made.protocol) || !random_.chance(30)) return made;
  const NamedPort& named = random_.pick(endpoint.ports);
  if (std::ranges::count(options_.protocols, named.protocol) == 0) return made;
  made.protocol = named.protocol;
  (ingress ? made.destination_port : made.source_port) = named.port;
  return made;
}

Packet PacketGenerator::packet(const IPAddress& source, const IPAddress& destination) {
  return packet(source, destination, {});
}

Packet PacketGenerator::packet(const IPAddress& source, const IPAddress& destination,
                               const std::vector<NamedPort>& ports) {
  Packet packet{.source = source, .destination = destination};
  do packet.protocol = random_.pick(options_.protocols);
  while (!belongs(packet.protocol, source.family()));
  switch (packet.protocol) {
    case k_tcp:
    case k_udp:
    case k_sctp:
    case k_udplite:
      packet.source_port = random_port(random_, ports);
      packet.destination_port = random_port(random_, ports);
      break;
    case k_icmp:
      packet.icmp_type = random_.pick<uint8_t>({8, 13});
      packet.icmp_code = random_.pick<uint8_t>({0, 1, 2});
      break;
    case k_icmpv6:
      packet.icmp_type = random_.pick<uint8_t>({128, 139});
      packet.icmp_code = random_.pick<uint8_t>({0, 1, 2});
      break;
    default:
      break;
  }
  return packet;
}

}  // namespace margay::policy
