#include "ctl/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
#include "base/text.h"
#include "k8s/names.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;
using policy::IPAddress;
using policy::Prefix;
using policy::WorkloadEndpoint;

constexpr std::string_view k_pods = "pods";
constexpr std::string_view k_nodes = "nodes";
constexpr std::string_view k_felix_configurations = "felixconfigurations.projectcalico.org";
constexpr uint64_t k_stand_ins = 1U << 17;  // as many as the smaller range has

bool is_routing(std::string_view resource) {
  return resource.starts_with("ippools.") || resource.starts_with("ipamblocks.");
}

Result<std::vector<store::Entry>> list_all(store::Store& store, const std::string& resource) {
  std::vector<store::Entry> entries;
  store::ListOptions options;
  do {
    MARGAY_TRY(store::List page, store.list({.resource = resource}, options));
    std::ranges::move(page.entries, std::back_inserter(entries));
    options.resume = page.resume;
  } while (!options.resume.empty());
  return entries;
}

}  // namespace

Result<Cluster> Cluster::from_files(const FileObjects& files) {
  Cluster cluster;
  for (const auto& change : k8s::built_in()) cluster.model_.apply(change);
  cluster.warnings_ = files.warnings;
  for (const FileObject& file : files.objects)
    MARGAY_CHECK(cluster.add(file.key(), file.object, file.origin));
  cluster.add_implied_profiles();
  MARGAY_CHECK(cluster.add_stand_in_addresses());
  cluster.index_workloads();
  return cluster;
}

Result<Cluster> Cluster::from_store(store::Store& store) {
  Cluster cluster;
  for (const auto& change : k8s::built_in()) cluster.model_.apply(change);
  auto resources = k8s::resources();
  std::ranges::move(k8s::later_resources(), std::back_inserter(resources));
  std::ranges::move(k8s::staged_resources(), std::back_inserter(resources));
  for (const auto& more : {k_nodes, k_felix_configurations}) resources.emplace_back(more);
  for (const std::string& resource : resources) {
    if (is_routing(resource)) continue;
    auto entries = list_all(store, resource);
    if (!entries && entries.error().code == ErrorCode::not_found) continue;
    if (!entries) return fail(std::move(entries).error().wrap("list " + resource));
    for (const store::Entry& entry : *entries) {
      const auto origin = fmt::format("{} {}/{}", resource, entry.key.ns, entry.key.name);
      auto object = api::parse_json(entry.value);
      if (!object) object = fail(std::move(object).error().wrap(origin));
      const auto added =
          object ? cluster.add(entry.key, *object, origin) : Result<>(fail(object.error()));
      if (!added) cluster.stand_in(entry.key, added.error().message);
    }
  }
  cluster.index_workloads();
  return cluster;
}

// What an agent that starts makes of an object that it cannot read.
void Cluster::stand_in(const store::Key& key, const std::string& error) {
  auto isolating = k8s::isolating(key);
  warnings_.push_back(error + (isolating ? " (it isolates all it may be for)" : " (left out)"));
  if (!isolating) return;
  for (const auto& change : converter_.set(key, *std::move(isolating))) model_.apply(change);
}

Result<> Cluster::add(const store::Key& key, const json::value& object, const std::string& origin) {
  auto reading = k8s::read_object(key, object);
  if (!reading) return fail(std::move(reading).error().wrap(origin));
  for (const auto& warning : reading->warnings)
    warnings_.push_back(fmt::format("{}: {}", origin, warning));
  const auto origins = std::exchange(reading->origins, {});
  for (const auto& change : converter_.set(key, *std::move(reading))) {
    const auto* policy = std::get_if<policy::Change<policy::PolicyKey, policy::Policy>>(&change);
    if (policy && origins) origins_[policy->key] = *origins;
    model_.apply(change);
  }
  if (const auto other = converter_.shadowed_by(key))
    warnings_.push_back(fmt::format("{}: not in effect, {} {}/{} has its place", origin,
                                    other->resource, other->ns, other->name));
  if (key.resource == k_pods)
    if (const auto pod = api::decode<api::kubernetes::Pod>(object)) remember_pod(*pod);
  if (key.resource == k_nodes)
    if (const auto node = api::decode<api::kubernetes::Node>(object)) remember_node(*node);
  if (key.resource != k_felix_configurations) return {};
  auto configuration = api::decode<api::FelixConfiguration>(object);
  if (!configuration) return fail(std::move(configuration).error().wrap(origin));
  auto remembered = remember_settings(*configuration);
  if (!remembered) return fail(std::move(remembered).error().wrap(origin));
  return {};
}

void Cluster::remember_pod(api::kubernetes::Pod pod) {
  const std::string name = pod.metadata.ns + "/" + pod.metadata.name;
  if (k8s::is_finished(pod)) finished_.insert(name);
  if (k8s::has_endpoint(pod)) return;
  pod.spec.host_network = false;
  k8s::Warnings ignored;  // of an endpoint that is none
  host_pods_[name] = {pod.spec.node_name, k8s::endpoint_of(pod, ignored).addresses};
}

void Cluster::remember_node(const api::kubernetes::Node& node) {
  auto& addresses = node_addresses_[node.metadata.name];
  for (const auto& said : node.addresses)
    if (const auto address = IPAddress::parse(said.address); address && said.type == "InternalIP")
      addresses.push_back(*address);
}

Result<> Cluster::remember_settings(const api::FelixConfiguration& configuration) {
  using FromWorkload = policy::HostTrafficSettings::FromWorkload;
  static const std::map<std::string, FromWorkload, std::less<>> k_actions{
      {"Drop", FromWorkload::drop},
      {"Return", FromWorkload::return_to_host},
      {"Accept", FromWorkload::accept}};
  HostSettings settings;
  for (const auto& [name, value] : configuration.settings) {
    if (name == "failsafeInboundHostPorts") {
      MARGAY_TRY(settings.inbound, policy::parse_failsafes(value));
    } else if (name == "failsafeOutboundHostPorts") {
      MARGAY_TRY(settings.outbound, policy::parse_failsafes(value));
    } else if (name == "defaultEndpointToHostAction") {
      const auto action = k_actions.find(value);
      if (action != k_actions.end()) settings.from_workload = action->second;
    } else if (name == "interfacePrefix") {
      std::vector<std::string> prefixes;
      for (const auto part : base::split(value, ',')) prefixes.emplace_back(base::trim(part));
      settings.workload_interfaces = policy::WorkloadInterfaces::named(std::move(prefixes));
    }
  }
  host_settings_[configuration.metadata.name] = std::move(settings);
  return {};
}

void Cluster::add_implied_profiles() {
  std::set<std::string> unknown;
  const auto imply = [&](const std::string& ns) {
    if (ns.empty() || model_.profiles.contains(k8s::namespace_profile(ns))) return;
    if (ns != "default") unknown.insert(ns);
    api::kubernetes::Namespace implied;
    implied.metadata.name = ns;
    implied.metadata.labels[std::string(k8s::k_namespace_name_label)] = ns;  // as Kubernetes does
    const auto profile = k8s::profile_of(implied);
    model_.profiles.emplace(profile.name, profile);
  };
  for (const auto& [key, endpoint] : model_.workloads) {
    imply(endpoint.ns);
    const auto account = endpoint.labels.find(k8s::k_service_account_label);
    if (account == endpoint.labels.end()) continue;
    api::kubernetes::ServiceAccount implied;
    implied.metadata.ns = endpoint.ns;
    implied.metadata.name = account->second;
    const auto profile = k8s::profile_of(implied);
    model_.profiles.emplace(profile.name, profile);
  }
  for (const auto& [key, set] : model_.network_sets) imply(key.ns);
  for (const std::string& ns : unknown)
    warnings_.push_back(
        fmt::format("namespace {} is not in the files; taken to have no labels but its name", ns));
}

Result<> Cluster::add_stand_in_addresses() {
  uint64_t count = 0;
  for (auto& [key, endpoint] : model_.workloads) {
    if (!endpoint.addresses.empty() || finished_.contains(key.workload)) continue;
    if (++count >= k_stand_ins)
      return fail(ErrorCode::too_large, "more pods without addresses than stand-ins for them");
    endpoint.addresses = {Prefix::parse(k_stand_in_v4)->address().plus(count),
                          Prefix::parse(k_stand_in_v6)->address().plus(count)};
  }
  if (count > 0)
    warnings_.push_back(
        fmt::format("{} pods have no address in the files; they get one from {} and {}", count,
                    k_stand_in_v4, k_stand_in_v6));
  return {};
}

void Cluster::index_workloads() {
  for (const auto& [key, endpoint] : model_.workloads) workloads_.try_emplace(key.workload, key);
}

const WorkloadEndpoint* Cluster::find_workload(const std::string& name) const {
  const auto known = workloads_.find(name);
  if (known == workloads_.end()) return nullptr;
  const auto endpoint = model_.workloads.find(known->second);
  return endpoint == model_.workloads.end() ? nullptr : &endpoint->second;
}

const Cluster::HostPod* Cluster::find_host_pod(const std::string& name) const {
  const auto known = host_pods_.find(name);
  return known == host_pods_.end() ? nullptr : &known->second;
}

std::vector<IPAddress> Cluster::node_addresses(const std::string& node) const {
  std::vector<IPAddress> addresses;
  if (const auto host = model_.hosts.find(node); host != model_.hosts.end())
    for (const auto& address : {host->second.v4, host->second.v6})
      if (address) addresses.push_back(*address);
  if (const auto known = node_addresses_.find(node); known != node_addresses_.end())
    std::ranges::copy(known->second, std::back_inserter(addresses));
  return addresses;
}

std::string Cluster::node_with(const IPAddress& address) const {
  for (const auto& [name, host] : model_.hosts)
    if (host.v4 == address || host.v6 == address) return name;
  for (const auto& [name, addresses] : node_addresses_)
    if (std::ranges::count(addresses, address) > 0) return name;
  return {};
}

// The node's own configuration before the global one, field by field.
policy::HostTrafficSettings Cluster::host_traffic_settings(const std::string& node) const {
  policy::HostTrafficSettings settings;
  for (const auto& name : {std::string("default"), "node." + node}) {
    const auto said = host_settings_.find(name);
    if (said == host_settings_.end()) continue;
    const auto& [inbound, outbound, from_workload, workload_interfaces] = said->second;
    if (inbound) settings.failsafes.inbound = *inbound;
    if (outbound) settings.failsafes.outbound = *outbound;
    if (from_workload) settings.from_workload = *from_workload;
    if (workload_interfaces) settings.workload_interfaces = *workload_interfaces;
  }
  return settings;
}

size_t Cluster::rule_index(const policy::PolicyKey& policy, policy::Direction direction,
                           size_t rule) const {
  const auto known = origins_.find(policy);
  if (known == origins_.end()) return rule;
  const auto& origins =
      direction == policy::Direction::ingress ? known->second.ingress : known->second.egress;
  return rule < origins.size() ? origins[rule] : rule;
}

}  // namespace margay::ctl
