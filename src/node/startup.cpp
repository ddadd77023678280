#include "node/startup.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "api/calico.h"
#include "api/codec.h"
#include "api/kind.h"
#include "base/address.h"
#include "base/host_name.h"
#include "base/text.h"
#include "ipam/collection.h"
#include "node/address_detection.h"
#include "node/node_object.h"

namespace margay::node {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::IPFamily;
using base::Prefix;
using base::Result;
using Environment = std::map<std::string, std::string, std::less<>>;

// ---- environment ----------------------------------------------------------------------------

Environment read(const char* const* environment) {
  Environment variables;
  for (; *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const size_t equals = line.find('=');
    if (equals != line.npos && equals + 1 < line.size())
      variables.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return variables;
}

std::unexpected<base::Error> bad(std::string_view variable, std::string_view value,
                                 std::string_view rule) {
  return fail(ErrorCode::invalid, fmt::format("{}: \"{}\" {}", variable, value, rule));
}

Result<> read_flag(const Environment& from, std::string_view name, bool& into) {
  const auto found = from.find(name);
  if (found == from.end()) return {};
  if (found->second != "true" && found->second != "false")
    return bad(name, found->second, "must be true or false");
  into = found->second == "true";
  return {};
}

Result<> read_pool(const Environment& from, std::string_view name, IPFamily family,
                   std::optional<Prefix>& into) {
  const auto found = from.find(name);
  if (found == from.end()) return {};
  const auto prefix = Prefix::parse(found->second);
  if (!prefix || prefix->family() != family)
    return bad(name, found->second,
               family == IPFamily::v4 ? "must be an IPv4 CIDR" : "must be an IPv6 CIDR");
  into = *prefix;
  return {};
}

Result<> read_size(const Environment& from, std::string_view name, std::optional<int64_t>& into) {
  const auto found = from.find(name);
  if (found == from.end()) return {};
  const std::string& text = found->second;
  if (text.size() > 3 ||
      !std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); }))
    return bad(name, text, "must be a prefix length");
  into = std::stoi(text);
  return {};
}

Result<> read_encapsulation(const Environment& from, std::string_view name, std::string& into) {
  const auto found = from.find(name);
  if (found == from.end()) return {};
  static const std::map<std::string, std::string, std::less<>> k_modes{
      {"never", "Never"}, {"off", "Never"}, {"always", "Always"}, {"crosssubnet", "CrossSubnet"}};
  std::string lower = found->second;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto mode = k_modes.find(lower);
  if (mode == k_modes.end())
    return bad(name, found->second, "must be Never, Always or CrossSubnet");
  into = mode->second;
  return {};
}

// ---- objects --------------------------------------------------------------------------------

// Creates, unless somebody has.
Result<> ensure(store::Store& store, const store::Key& key, const json::object& object) {
  const auto present = store.get(key);
  if (present) return {};
  if (present.error().code != ErrorCode::not_found)
    return fail(present.error().wrap("read " + key.resource + " " + key.name));
  const auto created = store.create(key, api::to_json(object));
  if (created) {
    spdlog::info("created {} {}", key.resource, key.name);
    return {};
  }
  if (created.error().code == ErrorCode::already_exists) return {};
  return fail(created.error().wrap("create " + key.resource + " " + key.name));
}

// `variable`: "IP" or "IP6", which `setting` is the value of.
Result<std::optional<HostAddress>> own_address(const std::vector<HostAddress>& host,
                                               IPFamily family, const std::string& variable,
                                               const std::string& setting,
                                               const std::string& method) {
  if (setting == "none" || setting.empty()) return std::optional<HostAddress>{};
  if (setting == "autodetect") {
    auto found = detect_address(host, family, method);
    if (!found) return fail(std::move(found).error().wrap(variable + "_AUTODETECTION_METHOD"));
    return std::optional(*std::move(found));
  }
  const auto address = base::IPAddress::parse(setting.substr(0, setting.find('/')));
  const auto prefix = Prefix::parse(setting);
  if (!address || !prefix || address->family() != family)
    return fail(ErrorCode::invalid,
                fmt::format("{}: Invalid value: \"{}\": must be autodetect, none, or an {} address "
                            "with or without its length",
                            variable, setting, family == IPFamily::v4 ? "IPv4" : "IPv6"));
  HostAddress wanted{.address = *address, .prefix_length = prefix->length()};
  // An address given without a length takes that of the interface that has it.
  const auto present = std::ranges::find(host, *address, &HostAddress::address);
  if (present != host.end() && setting.find('/') == setting.npos) wanted = *present;
  return std::optional(wanted);
}

// Takes off what whoever collects Nodes of gone nodes puts on (ipam/collection.h).
void stay(json::object& node) {
  auto* annotations = child(node, "metadata").if_contains("annotations");
  if (annotations != nullptr && annotations->is_object())
    annotations->get_object().erase(ipam::k_leaving_annotation);
}

// Sets what this node knows about itself and leaves every other field as it is.
Result<> write_calico_node(store::Store& store, const StartupOptions& options,
                           const NodeAddresses& addresses) {
  const std::string& name = options.node;
  return edit_node(store, name, [&](json::object& node) {
    json::object& spec = child(node, "spec");
    json::object& bgp = child(spec, "bgp");
    const auto set = [&](const char* field, const std::optional<HostAddress>& address,
                         const std::string& setting) {
      if (address)
        bgp[field] = address->to_string();
      else if (setting == "none")
        bgp.erase(field);
    };
    set("ipv4Address", addresses.v4, options.ip);
    set("ipv6Address", addresses.v6, options.ip6);
    stay(node);
  });
}

Result<> ensure_kubernetes_node(store::Store& store, const std::string& name,
                                const NodeAddresses& addresses) {
  json::array listed;
  for (const auto* address : {&addresses.v4, &addresses.v6})
    if (*address)
      listed.push_back({{"type", "InternalIP"}, {"address", (*address)->address.to_string()}});
  listed.push_back({{"type", "Hostname"}, {"address", name}});
  auto ensured =
      ensure(store, {"nodes", "", name},
             {{"apiVersion", "v1"},
              {"kind", "Node"},
              {"metadata",
               {{"name", name},
                {"labels", {{"kubernetes.io/hostname", name}, {"kubernetes.io/os", "linux"}}}}},
              {"status", {{"addresses", std::move(listed)}}}});
  // Where a kubelet registers Nodes, as under Calico's manifests, it may come after us.
  if (!ensured && ensured.error().code == ErrorCode::forbidden)
    return fail(ErrorCode::unavailable,
                "node " + name + " is not registered yet, and may not be created here");
  return ensured;
}

Result<std::string> random_hex(size_t bytes) {
  std::array<unsigned char, 32> random{};
  if (bytes > random.size() || RAND_bytes(random.data(), static_cast<int>(bytes)) != 1)
    return fail(ErrorCode::internal, "no random bytes to be had");
  return base::hex(std::span(random).first(bytes));
}

// A random unique local prefix (RFC 4193, section 3.2.2).
Result<Prefix> unique_local_prefix() {
  MARGAY_TRY(const std::string hex, random_hex(5));
  return Prefix::parse(
      fmt::format("fd{}:{}:{}::/48", hex.substr(0, 2), hex.substr(2, 4), hex.substr(6, 4)));
}

// Calico's default, or its second choice when the node's own network is in there.
Prefix default_ipv4_pool(const NodeAddresses& addresses) {
  const Prefix first = *Prefix::parse("192.168.0.0/16");
  const bool taken = addresses.v4 && first.overlaps(addresses.v4->subnet());
  return taken ? *Prefix::parse("172.16.0.0/16") : first;
}

Result<> create_pool(store::Store& store, const std::string& name, const api::IPPoolSpec& spec) {
  api::IPPool pool;
  pool.metadata.name = name;
  pool.spec = spec;
  return ensure(store, {"ippools.projectcalico.org", "", name}, api::encode(pool));
}

Result<> ensure_pools(store::Store& store, const StartupOptions& options,
                      const NodeAddresses& addresses) {
  if (options.no_default_pools) return {};
  MARGAY_TRY(const store::List existing, store.list({.resource = "ippools.projectcalico.org"}));
  const auto is_default = [](const store::Entry& entry) {
    return entry.key.name == "default-ipv4-ippool" || entry.key.name == "default-ipv6-ippool";
  };
  // Another node may be half way through the same: only pools that are not these mean "leave it".
  if (!std::ranges::all_of(existing.entries, is_default)) return {};

  if (addresses.v4) {
    const Prefix cidr = options.ipv4_pool.value_or(default_ipv4_pool(addresses));
    MARGAY_CHECK(create_pool(store, "default-ipv4-ippool",
                             {.cidr = cidr.to_string(),
                              .vxlan_mode = options.ipv4_vxlan,
                              .ipip_mode = options.ipv4_ipip,
                              .nat_outgoing = options.ipv4_nat_outgoing,
                              .block_size = options.ipv4_block_size.value_or(26),
                              .node_selector = options.ipv4_node_selector}));
  }
  if (addresses.v6) {
    MARGAY_TRY(const Prefix random, unique_local_prefix());
    MARGAY_CHECK(create_pool(store, "default-ipv6-ippool",
                             {.cidr = options.ipv6_pool.value_or(random).to_string(),
                              .vxlan_mode = options.ipv6_vxlan,
                              .ipip_mode = "Never",
                              .nat_outgoing = options.ipv6_nat_outgoing,
                              .block_size = options.ipv6_block_size.value_or(122),
                              .node_selector = options.ipv6_node_selector}));
  }
  return {};
}

Result<> ensure_cluster(store::Store& store, const StartupOptions& options) {
  MARGAY_TRY(const std::string guid, random_hex(16));
  api::ClusterInformation cluster;
  cluster.metadata.name = "default";
  cluster.spec = {.cluster_guid = guid,
                  .cluster_type = options.cluster_type,
                  .calico_version = MARGAY_VERSION,
                  .datastore_ready = true};
  MARGAY_CHECK(ensure(store, {"clusterinformations.projectcalico.org", "", "default"},
                      api::encode(cluster)));
  return ensure(store, {"felixconfigurations.projectcalico.org", "", "default"},
                {{"apiVersion", "projectcalico.org/v3"},
                 {"kind", "FelixConfiguration"},
                 {"metadata", {{"name", "default"}}},
                 {"spec", {{"logSeverityScreen", "Info"}}}});
}

}  // namespace

Result<StartupOptions> StartupOptions::from_environment(std::string node,
                                                        const char* const* environment) {
  const Environment from = read(environment);
  StartupOptions options;
  options.node = std::move(node);
  const auto text = [&](std::string_view name, std::string& into) {
    if (const auto found = from.find(name); found != from.end()) into = found->second;
  };
  text("IP", options.ip);
  text("IP6", options.ip6);
  text("IP_AUTODETECTION_METHOD", options.ip_method);
  text("IP6_AUTODETECTION_METHOD", options.ip6_method);
  text("CALICO_IPV4POOL_NODE_SELECTOR", options.ipv4_node_selector);
  text("CALICO_IPV6POOL_NODE_SELECTOR", options.ipv6_node_selector);
  text("CLUSTER_TYPE", options.cluster_type);
  MARGAY_CHECK(read_flag(from, "NO_DEFAULT_POOLS", options.no_default_pools));
  MARGAY_CHECK(read_flag(from, "CALICO_IPV4POOL_NAT_OUTGOING", options.ipv4_nat_outgoing));
  MARGAY_CHECK(read_flag(from, "CALICO_IPV6POOL_NAT_OUTGOING", options.ipv6_nat_outgoing));
  MARGAY_CHECK(read_pool(from, "CALICO_IPV4POOL_CIDR", IPFamily::v4, options.ipv4_pool));
  MARGAY_CHECK(read_pool(from, "CALICO_IPV6POOL_CIDR", IPFamily::v6, options.ipv6_pool));
  MARGAY_CHECK(read_size(from, "CALICO_IPV4POOL_BLOCK_SIZE", options.ipv4_block_size));
  MARGAY_CHECK(read_size(from, "CALICO_IPV6POOL_BLOCK_SIZE", options.ipv6_block_size));
  MARGAY_CHECK(read_encapsulation(from, "CALICO_IPV4POOL_VXLAN", options.ipv4_vxlan));
  MARGAY_CHECK(read_encapsulation(from, "CALICO_IPV6POOL_VXLAN", options.ipv6_vxlan));
  MARGAY_CHECK(read_encapsulation(from, "CALICO_IPV4POOL_IPIP", options.ipv4_ipip));
  return options;
}

Result<std::string> node_name(const std::string& given, const std::string& felix_hostname) {
  if (!given.empty()) return given;
  if (!felix_hostname.empty()) return felix_hostname;
  auto name = base::host_name();
  if (!name) return fail(std::move(name).error().wrap("give a name by --name"));
  return name;
}

Result<NodeAddresses> node_addresses(const StartupOptions& options,
                                     const std::vector<HostAddress>& host) {
  NodeAddresses addresses;
  MARGAY_TRY(addresses.v4, own_address(host, IPFamily::v4, "IP", options.ip, options.ip_method));
  MARGAY_TRY(addresses.v6, own_address(host, IPFamily::v6, "IP6", options.ip6, options.ip6_method));
  if (!addresses.v4 && !addresses.v6)
    return fail(ErrorCode::invalid, "IP and IP6 are both \"none\": this node has no address");
  return addresses;
}

Result<> start_up(store::Store& store, const StartupOptions& options,
                  const NodeAddresses& addresses) {
  MARGAY_CHECK(ensure_cluster(store, options));
  // In this order: who removes a Calico Node looks for the Kubernetes node last.
  MARGAY_CHECK(ensure_kubernetes_node(store, options.node, addresses));
  MARGAY_CHECK(write_calico_node(store, options, addresses));
  return ensure_pools(store, options, addresses);
}

}  // namespace margay::node
