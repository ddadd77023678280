#include "policy/generate_objects.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace margay::policy {
namespace {

Prefix net(const char* text) { return *Prefix::parse_strict(text); }

// The numbers below leave room for every index a generator uses (a few dozen).
IPAddress workload_v4(size_t index) { return IPAddress::parse("10.65.0.8")->plus(index * 13); }
IPAddress workload_v6(size_t index) { return IPAddress::parse("fd00:65::8")->plus(index * 13); }

const std::vector<std::string>& namespaces() {
  static const std::vector<std::string> names = {"red", "green", "blue"};
  return names;
}

const std::vector<std::string>& port_names() {
  static const std::vector<std::string> names = {"http", "dns", "metrics"};
  return names;
}

Labels random_labels(Random& random) {
  Labels labels;
  for (const char* key : {"app", "role", "env"})
    if (random.chance(60)) labels.emplace(key, random.pick({"a", "b", "c"}));
  return labels;
}

Selector random_term(Random& random) {
  const std::string key = random.pick({"app", "role", "env", "pcns.team", "pcsa.role"});
  const std::string value = random.pick({"a", "b", "c"});
  switch (random.below(14)) {
    case 0:
      return Selector::has(key);
    case 1:
      return !Selector::has(key);
    case 2:
      return *Selector::parse(fmt::format("{} != '{}'", key, value));
    case 3:
      return Selector::in(key, {value, "b"});
    case 4:
      return *Selector::parse(fmt::format("{} not in {{'{}', 'b'}}", key, value));
    case 5:
      return Selector::equals("projectcalico.org/namespace", random.pick(namespaces()));
    case 6:
      return Selector::equals("pcns.projectcalico.org/name", random.pick(namespaces()));
    case 7:
      return Selector::in("projectcalico.org/serviceaccount", {"default", value});
    case 8:
      return !Selector::has("projectcalico.org/namespace");  // global()
    case 9:
      return *Selector::parse(fmt::format(
          "{} {} '{}'", random.pick({"pcns.projectcalico.org/name", "app"}),
          random.pick({"contains", "starts with", "ends with"}), random.pick({"re", "e", "a"})));
    default:
      return Selector::equals(key, value);
  }
}

// A number of protocol that rules may name; sometimes none.
std::optional<uint8_t> random_protocol(Random& random, const GenerateOptions& options,
                                       unsigned percent) {
  if (!random.chance(percent)) return std::nullopt;
  return random.pick(options.protocols);
}

ICMPMatch random_icmp(Random& random, uint8_t protocol) {
  ICMPMatch icmp{.type = protocol == k_icmp ? random.pick<uint8_t>({8, 13, 3, 0})
                                            : random.pick<uint8_t>({128, 139, 1})};
  if (random.chance(40)) icmp.code = random.pick<uint8_t>({0, 1, 2});
  return icmp;
}

void add_nets(Random& random, IPFamily family, std::vector<Prefix>& nets) {
  for (const Prefix& candidate : random.some(vocabulary_nets(), 3))
    if (candidate.family() == family) nets.push_back(candidate);
}

void add_ports(Random& random, std::vector<PortRange>& ranges, std::vector<std::string>& names) {
  if (random.chance(60)) ranges = random.some(vocabulary_ports(), 3);
  if (ranges.empty() || random.chance(30)) names = random.some(port_names(), 2);
}

EntityMatch random_entity(Random& random, IPFamily family, bool has_ports) {
  EntityMatch entity;
  if (random.chance(25)) add_nets(random, family, entity.nets);
  if (random.chance(12)) add_nets(random, family, entity.not_nets);
  if (random.chance(35)) entity.selector = random_selector(random);
  if (random.chance(12)) entity.not_selector = random_selector(random);
  if (has_ports && random.chance(40)) add_ports(random, entity.ports, entity.named_ports);
  if (has_ports && random.chance(12)) add_ports(random, entity.not_ports, entity.not_named_ports);
  return entity;
}

Action random_action(Random& random, const GenerateOptions& options) {
  const size_t roll = random.below(100);
  if (roll < 45) return Action::allow;
  if (roll < 75) return Action::deny;
  return roll < 90 || !options.log_rules ? Action::pass : Action::log;
}

std::vector<Rule> random_rules(Random& random, const GenerateOptions& options, size_t most) {
  std::vector<Rule> rules(random.below(most + 1));
  for (Rule& rule : rules) rule = random_rule(random, options);
  return rules;
}

std::optional<double> random_order(Random& random) {
  if (random.chance(20)) return std::nullopt;
  return random.pick({-1.5, 0.0, 10.0, 10.5, 100.0, 1000.0});
}

std::vector<std::string> random_profiles(Random& random, const std::string& ns) {
  std::vector<std::string> profiles = {"kns." + ns};
  if (random.chance(40)) profiles.push_back("ksa." + ns + ".default");
  if (random.chance(10)) profiles.push_back(random.pick(vocabulary_profiles()));
  if (random.chance(5)) profiles.push_back("projectcalico-default-allow");
  return profiles;
}

std::vector<NamedPort> random_named_ports(Random& random) {
  std::vector<NamedPort> ports(random.below(4));
  for (NamedPort& port : ports)
    port = {random.pick(port_names()), random.pick<uint8_t>({k_tcp, k_udp, k_sctp}),
            random.pick<uint16_t>({53, 80, 8080, 9090})};
  return ports;
}

}  // namespace

const std::vector<Prefix>& vocabulary_nets() {
  static const std::vector<Prefix> nets = {
      net("10.65.0.0/24"),
      net("10.65.0.8/29"),
      net("10.65.0.21/32"),
      net("10.65.0.64/26"),
      net("10.0.0.0/8"),
      net("192.0.2.0/24"),
      net("192.0.2.128/25"),
      net("198.51.100.7/32"),
      net("0.0.0.0/0"),
      net("fd00:65::/64"),
      net("fd00:65::8/125"),
      net("fd00:65::15/128"),
      net("fd00:65::40/122"),
      net("2001:db8:1::/48"),
      net("2001:db8:1:8000::/49"),
      net("2001:db8:2::7/128"),
      net("::/0"),
  };
  return nets;
}

const std::vector<PortRange>& vocabulary_ports() {
  static const std::vector<PortRange> ports = {{80, 80},       {443, 443},    {8080, 8090},
                                               {1, 1023},      {1024, 65535}, {30000, 32767},
                                               {65535, 65535}, {0, 0},        {53, 53}};
  return ports;
}

const std::vector<std::string>& vocabulary_profiles() {
  static const std::vector<std::string> names = {
      "kns.red", "kns.green", "kns.blue", "ksa.red.default", "ksa.green.default", "not-there"};
  return names;
}

std::vector<std::string> vocabulary_nodes(const GenerateOptions& options) {
  return {options.node, "node-b", "node-c"};
}

std::vector<Prefix> vocabulary_pools(const GenerateOptions& options) {
  std::vector<Prefix> cidrs = {net("10.65.0.0/24")};
  if (options.ipv6) cidrs.push_back(net("fd00:65::/64"));
  return cidrs;
}

const std::vector<Prefix>& vocabulary_blocks() {
  static const std::vector<Prefix> cidrs = {net("10.65.0.0/28"), net("10.65.0.16/28"),
                                            net("10.65.0.64/26"), net("fd00:65::/122"),
                                            net("fd00:65::40/122")};
  return cidrs;
}

const std::vector<std::string>& vocabulary_tiers() {
  static const std::vector<std::string> k_tiers{"security", "platform", "default", "baseline",
                                                "not-there"};
  return k_tiers;
}

WorkloadKey workload_key(const std::string& node, size_t index) {
  return {node, "k8s", fmt::format("ns/pod-{}", index), "eth0"};
}

PolicyKey random_policy_key(Random& random, const GenerateOptions& options, size_t index) {
  const bool elsewhere = options.extra_tiers && random.chance(70);
  return {.tier = elsewhere ? random.pick(vocabulary_tiers()) : "default",
          .ns = random.chance(options.global_policies) ? "" : random.pick({"red", "green", "blue"}),
          .name = fmt::format("{}-{}", random.pick({"policy", "zz", "knp.default.policy"}), index)};
}

Selector random_selector(Random& random) {
  switch (random.below(10)) {
    case 0:
      return {};
    case 1:
      return random_term(random) && random_term(random);
    case 2:
      return random_term(random) || random_term(random);
    case 3:
      return !(random_term(random) && random_term(random));
    case 4:
      return Selector::has("projectcalico.org/namespace") && random_term(random);
    default:
      return random_term(random);
  }
}

Rule random_rule(Random& random, const GenerateOptions& options) {
  Rule rule;
  rule.action = random_action(random, options);
  const IPFamily family = options.ipv6 && random.chance(40) ? IPFamily::v6 : IPFamily::v4;
  if (random.chance(15)) rule.family = family;
  rule.protocol = random_protocol(random, options, 60);
  rule.not_protocol = random_protocol(random, options, 8);
  if ((rule.protocol == k_icmp && family == IPFamily::v4) ||
      (rule.protocol == k_icmpv6 && family == IPFamily::v6)) {
    if (random.chance(60)) rule.icmp = random_icmp(random, *rule.protocol);
    if (random.chance(20)) rule.not_icmp = random_icmp(random, *rule.protocol);
  }
  const bool has_ports =
      rule.protocol == k_tcp || rule.protocol == k_udp || rule.protocol == k_sctp;
  rule.source = random_entity(random, family, has_ports && random.chance(30));
  rule.destination = random_entity(random, family, has_ports);
  rule.has_http = rule.action == Action::allow && rule.protocol == k_tcp && random.chance(3);
  rule.never_matches = random.chance(2);
  return rule;
}

Policy random_policy(Random& random, const GenerateOptions& options, PolicyKey key) {
  Policy policy;
  policy.selector = random_selector(random);
  if (!key.ns.empty())
    policy.selector = Selector::equals("projectcalico.org/namespace", key.ns) && policy.selector;
  policy.key = std::move(key);
  policy.order = random_order(random);
  const size_t types = random.below(3);
  policy.applies_ingress = types != 1;
  policy.applies_egress = types != 0;
  policy.ingress = random_rules(random, options, 5);
  policy.egress = random_rules(random, options, 5);
  if (policy.key.ns.empty() && options.host_endpoints && random.chance(options.early_policies)) {
    policy.apply_on_forward = true;
    policy.do_not_track = random.chance(35);
    policy.pre_dnat = !policy.do_not_track && random.chance(50);
    if (policy.pre_dnat) policy.applies_ingress = !(policy.applies_egress = false);
  }
  return policy;
}

Profile random_profile(Random& random, const GenerateOptions& options, std::string name) {
  Profile profile{.name = std::move(name)};
  const bool is_namespace = profile.name.starts_with("kns.");
  if (is_namespace) {
    profile.labels_to_apply = {{"pcns.projectcalico.org/name", profile.name.substr(4)},
                               {"pcns.team", random.pick({"a", "b", "c"})}};
    profile.ingress = profile.egress = {Rule{}};
  } else {
    profile.labels_to_apply = {{"pcsa.role", random.pick({"a", "b", "c"})}};
  }
  if (random.chance(20)) profile.labels_to_apply.emplace("env", random.pick({"a", "b", "c"}));
  if (random.chance(30)) profile.ingress = random_rules(random, options, 3);
  if (random.chance(30)) profile.egress = random_rules(random, options, 3);
  return profile;
}

WorkloadEndpoint random_workload(Random& random, const GenerateOptions& options, WorkloadKey key,
                                 size_t address) {
  WorkloadEndpoint endpoint{.key = std::move(key)};
  endpoint.ns = random.pick(namespaces());
  endpoint.interface_name = fmt::format("cali{:04}", address);
  endpoint.addresses = {workload_v4(address)};
  if (options.ipv6) endpoint.addresses.push_back(workload_v6(address));
  endpoint.labels = random_labels(random);
  endpoint.labels.emplace("projectcalico.org/namespace", endpoint.ns);
  endpoint.labels.emplace("projectcalico.org/orchestrator", "k8s");
  endpoint.profiles = random_profiles(random, endpoint.ns);
  if (std::ranges::count(endpoint.profiles, "ksa." + endpoint.ns + ".default") > 0)
    endpoint.labels.emplace("projectcalico.org/serviceaccount", "default");
  endpoint.ports = random_named_ports(random);
  if (options.floating_ips && random.chance(30))
    endpoint.floating_ips = {
        {endpoint.addresses[0], IPAddress::parse("198.51.100.64")->plus(random.below(3))}};
  if (random.chance(5)) endpoint.addresses.clear();
  if (random.chance(5))
    endpoint.interface_name = options.host_endpoints ? random.pick({"", "eth0"}) : "";
  endpoint.admin_up = !random.chance(5);
  return endpoint;
}

HostEndpoint random_host_endpoint(Random& random, HostEndpointKey key) {
  HostEndpoint endpoint{.key = std::move(key)};
  endpoint.interface_name = random.pick({"eth0", "eth1", "cali0003", "*", ""});
  if (random.chance(70))
    endpoint.expected_addresses = {IPAddress::parse("192.0.2.140")->plus(random.below(4)),
                                   IPAddress::parse("2001:db8:1::1")->plus(random.below(4))};
  endpoint.labels = random_labels(random);
  if (random.chance(40)) endpoint.profiles = {"projectcalico-default-allow"};
  endpoint.ports = random_named_ports(random);
  return endpoint;
}

NetworkSet random_network_set(Random& random, const GenerateOptions& options, NetworkSetKey key) {
  NetworkSet set{.key = std::move(key)};
  set.labels = random_labels(random);
  if (!set.key.ns.empty()) {
    set.labels.emplace("projectcalico.org/namespace", set.key.ns);
    set.profiles = {"kns." + set.key.ns};
  }
  for (const Prefix& candidate : random.some(vocabulary_nets(), 5))
    if (options.ipv6 || candidate.family() == IPFamily::v4) set.nets.push_back(candidate);
  return set;
}

IPPool random_pool(Random& random, std::string name, Prefix cidr) {
  const std::array modes = {Encapsulation::never, Encapsulation::always,
                            Encapsulation::cross_subnet};
  IPPool pool{.name = std::move(name), .cidr = cidr};
  pool.nat_outgoing = random.chance(50);
  pool.disabled = random.chance(20);
  const Encapsulation mode = modes[random.below(modes.size())];
  (random.chance(50) ? pool.vxlan : pool.ipip) = mode;
  return pool;
}

Tier random_tier(Random& random, std::string name) {
  return {
      .name = std::move(name),
      .order = random.chance(80) ? std::optional(random.pick({10.0, 100.0, 1000.0})) : std::nullopt,
      .default_action = random.chance(50) ? Action::pass : Action::deny};
}

StagedPolicy random_staged_policy(Random& random, const GenerateOptions& options, PolicyKey key) {
  StagedPolicy staged{.key = key, .policy = {}};
  if (random.chance(70)) staged.policy = random_policy(random, options, std::move(key));
  return staged;
}

HostInterface random_interface(Random& random, std::string name) {
  HostInterface interface{.name = std::move(name), .addresses = {}};
  for (size_t i = 0; i < 4; ++i) {
    if (random.chance(30)) interface.addresses.push_back(IPAddress::parse("192.0.2.140")->plus(i));
    if (random.chance(30))
      interface.addresses.push_back(IPAddress::parse("2001:db8:1::1")->plus(i));
  }
  std::ranges::sort(interface.addresses);
  return interface;
}

Service random_service(Random& random, size_t index) {
  Service service{.key = {random.pick(namespaces()), fmt::format("service-{}", index)},
                  .created = random.pick({"", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"}),
                  .cluster_ips = {IPAddress::parse("10.96.0.1")->plus(index),
                                  IPAddress::parse("fd96::1")->plus(index)},
                  .external_ips = {},
                  .load_balancer_ips = {},
                  .ports = {},
                  .client_affinity = {},
                  .source_ranges = {}};
  for (size_t i = random.below(3); i > 0; --i)
    service.external_ips.push_back(IPAddress::parse("198.51.100.1")->plus(random.below(3)));
  if (random.chance(30)) service.load_balancer_ips = {*IPAddress::parse("198.51.100.2")};
  for (const std::string& name : random.some(port_names(), 2))
    service.ports.push_back({.name = name,
                             .protocol = random.pick<uint8_t>({k_tcp, k_udp}),
                             .port = random.pick<uint16_t>({53, 80}),
                             .node_port = random.pick<uint16_t>({0, 30080, 30081})});
  if (random.chance(30)) service.client_affinity = std::chrono::seconds(10);
  if (random.chance(30)) service.internal_policy = TrafficPolicy::local;
  if (random.chance(30)) service.external_policy = TrafficPolicy::local;
  service.prefers_zone = random.chance(40);
  return service;
}

EndpointSlice random_slice(Random& random, const std::vector<std::string>& nodes, size_t index) {
  EndpointSlice slice{.key = {random.pick(namespaces()), fmt::format("slice-{}", index)},
                      .service = {},
                      .ports = {},
                      .backends = {}};
  slice.service = {slice.key.ns, fmt::format("service-{}", random.below(4))};
  for (const std::string& name : random.some(port_names(), 3))
    slice.ports.push_back(
        {.name = name, .protocol = random.pick<uint8_t>({k_tcp, k_udp}), .port = 8080});
  const bool v6 = random.chance(40);
  for (size_t i = random.below(5); i > 0; --i) {
    const size_t workload = random.below(8);
    Backend& backend = slice.backends.emplace_back();
    backend.address = v6 ? workload_v6(workload) : workload_v4(workload);
    backend.node = random.pick(nodes);
    if (random.chance(70)) backend.for_zones = {random.pick({"zone-a", "zone-b"})};
    backend.ready = random.chance(60);
    backend.serving = backend.ready || random.chance(50);
    backend.terminating = random.chance(30);
  }
  return slice;
}

HostTrafficSettings random_host_traffic_settings(Random& random) {
  using FromWorkload = HostTrafficSettings::FromWorkload;
  const auto failsafes = [&](std::vector<const char*> of_all) {
    std::vector<Failsafe> chosen;
    if (random.chance(15)) return chosen;
    for (const char* text : random.some(of_all, 4)) {
      const auto parsed = parse_failsafes(text);
      chosen.insert(chosen.end(), parsed->begin(), parsed->end());
    }
    return chosen;
  };
  HostTrafficSettings settings{
      .from_workload = random.pick({FromWorkload::drop, FromWorkload::return_to_host,
                                    FromWorkload::return_to_host, FromWorkload::accept})};
  if (random.chance(30)) return settings;
  settings.failsafes.inbound =
      failsafes({"tcp:22", "80", "udp:53", "sctp:8080", "tcp:192.0.2.0/24:443",
                 "tcp:2001:db8:1::/48:443", "udp:10.65.0.0/24:8080", "udp:[fd00:65::/64]:8080",
                 "sctp:0.0.0.0/0:30080", "tcp:[::/0]:30080"});
  settings.failsafes.outbound =
      failsafes({"udp:53", "443", "sctp:9090", "tcp:192.0.2.128/25:80",
                 "tcp:[2001:db8:1:8000::/49]:80", "udp:198.51.100.7/32:9090",
                 "udp:[2001:db8:2::7/128]:9090", "tcp:0.0.0.0/0:8080", "udp:[::/0]:8080"});
  return settings;
}

Host random_host(Random& random, std::string name, size_t index) {
  Host host{.name = std::move(name)};
  host.zone = random.pick({"", "zone-a", "zone-b"});
  const unsigned subnet = random.chance(50) ? 24 : 28;
  if (random.chance(90)) {
    host.v4 = IPAddress::parse("192.0.2.10")->plus(index * 20);
    host.v4_subnet = Prefix(*host.v4, subnet);
  }
  if (random.chance(80)) {
    host.v6 = IPAddress::parse("2001:db8:1::10")->plus(index * 20);
    host.v6_subnet = Prefix(*host.v6, subnet + 96);
  }
  if (random.chance(70)) {
    host.vxlan_v4 = workload_v4(0).plus(200 + index);
    host.vxlan_mac = fmt::format("66:00:00:00:00:{:02x}", index);
  }
  if (random.chance(50)) {
    host.vxlan_v6 = workload_v6(0).plus(200 + index);
    if (random.chance(90)) host.vxlan_mac_v6 = fmt::format("66:66:00:00:00:{:02x}", index);
  }
  return host;
}

Block random_block(Random& random, const std::vector<std::string>& nodes, Prefix cidr) {
  Block block{.cidr = cidr};
  if (random.chance(90)) block.node = random.pick(nodes);
  for (size_t left = random.below(3); left > 0; --left)
    block.borrowed.insert_or_assign(cidr.address().plus(random.below(16)), random.pick(nodes));
  return block;
}

}  // namespace margay::policy
