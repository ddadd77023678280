// `calicoctl ipam check`: what the blocks say is assigned against what workloads and nodes use.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "api/json_path.h"
#include "base/file.h"
#include "ctl/ipam_blocks.h"
#include "ctl/ipam_commands.h"
#include "ctl/objects.h"
#include "ctl/printed_form.h"
#include "ipam/check.h"
#include "ipam/pools.h"

namespace margay::ctl {
namespace {

using base::IPAddress;
using base::Result;

constexpr std::string_view k_windows_reserved = "windows-reserved-ipam-handle";

struct Allocation {
  AllocationFacts facts;
  std::string attributes;  // as text
  bool is_borrowed = false;
};

class Checker {
 public:
  Checker(store::Store& store, const IpamCheckArguments& arguments)
      : store_(store),
        objects_(store),
        shows_all_(arguments.show_all_ips),
        shows_problems_(arguments.show_all_ips || arguments.show_problem_ips) {}

  Result<> run() {
    say("Checking IPAM for inconsistencies...\n\n");
    MARGAY_TRY(cluster_, objects_.get(*find_resource_type("clusterinformation"), "", "default"));
    MARGAY_CHECK(read_blocks());
    MARGAY_CHECK(read_pools());
    MARGAY_CHECK(read_nodes());
    MARGAY_CHECK(read_workloads());
    tell_nodes();
    const auto problems = find_leaked() + find_unassigned();
    MARGAY_TRY(const auto broken, find_broken_records());
    say("\nCheck complete; found {} problems.\n", problems + broken);
    return {};
  }

  std::string take_output() { return std::move(out_); }

  json::object report() const {
    json::object allocations;
    for (const auto& [address, allocation] : allocations_)
      allocations[address.to_string()] = json::array{as_json(address, allocation)};
    const auto* ready = api::find_at(cluster_, {"spec", "datastoreReady"});
    return {{"version", MARGAY_VERSION},
            {"clusterGUID", api::text_at(cluster_, {"spec", "clusterGUID"})},
            {"datastoreLocked", ready != nullptr && *ready == false},
            {"clusterInformationRevision", api::text_at(cluster_, {"metadata", "resourceVersion"})},
            {"clusterType", api::text_at(cluster_, {"spec", "clusterType"})},
            {"allocations", std::move(allocations)}};
  }

 private:
  template <typename... Arguments>
  void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    out_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }

  json::object as_json(const IPAddress& address, const Allocation& allocation) const {
    const auto& facts = allocation.facts;
    json::object made{{"ip", address.to_string()}};
    const auto add = [&](std::string_view name, const std::string& value) {
      if (!value.empty()) made[name] = value;
    };
    add("handle", facts.handle);
    add("pod", facts.pod);
    add("namespace", facts.ns);
    add("node", facts.node);
    add("type", facts.type);
    add("creationTimestamp", facts.timestamp);
    const auto owners = users_.find(address);
    made["inUse"] = owners != users_.end();
    if (allocation.is_borrowed) made["borrowed"] = true;
    json::array list;
    if (owners != users_.end())
      for (const auto& owner : owners->second) list.push_back(json::value(owner));
    made["owners"] = owners == users_.end() ? json::value() : json::value(std::move(list));
    return made;
  }

  Result<> read_blocks() {
    say("Loading all IPAM blocks...\n");
    MARGAY_TRY(const auto blocks, ctl::read_blocks(store_));
    say("Found {} IPAM blocks.\n", blocks.size());
    for (const auto& block : blocks) {
      say(" IPAM block {} affinity={}:\n", block.cidr().to_string(),
          block.object().spec.affinity.value_or("<none>"));
      for (const auto& [address, attribute] : block.allocations())
        record(block, address, attribute);
    }
    say("IPAM blocks record {} allocations.\n\n", allocations_.size());
    return {};
  }

  void record(const ipam::Block& block, const IPAddress& address,
              const api::AllocationAttribute& attribute) {
    Allocation allocation{.facts = facts_of(attribute), .attributes = attribute_text(attribute)};
    const auto owner = block.host().value_or("");
    if (allocation.facts.handle == k_windows_reserved) use(address, "Reserved for Windows");
    if (allocation.facts.node.empty()) allocation.facts.node = owner;
    allocation.is_borrowed = allocation.facts.node != owner;
    ++of_node_[allocation.facts.node];
    if (shows_all_) say("  {} allocated; attrs {}\n", address.to_string(), allocation.attributes);
    allocations_.emplace(address, std::move(allocation));
  }

  void use(const IPAddress& address, std::string by) {
    if (shows_all_) say("  {} belongs to {}\n", address.to_string(), by);
    users_[address].push_back(std::move(by));
  }

  Result<> read_pools() {
    say("Loading all IPAM pools...\n");
    MARGAY_TRY(const auto pools, ipam::load_pools(store_));
    for (const auto& pool : pools) {
      if (pool.disabled) continue;
      say("  {}\n", pool.cidr.to_string());
      pools_.push_back(pool.cidr);
    }
    say("Found {} active IP pools.\n\n", pools_.size());
    return {};
  }

  // An address with or without the length of its subnet.
  Result<> use_text(std::string_view text, std::string by) {
    auto address = IPAddress::parse(text.substr(0, text.find('/')));
    if (!address) return base::fail(std::move(address).error().wrap(by));
    use(*address, std::move(by));
    return {};
  }

  Result<> read_nodes() {
    say("Loading all nodes.\n");
    MARGAY_TRY(const auto nodes, objects_.list(*find_resource_type("node"), ""));
    size_t count = 0;
    for (const auto& item : nodes.items) {
      const auto& node = item.get_object();
      const auto by = fmt::format("Node({})", api::text_at(node, {"metadata", "name"}));
      for (const auto& path : {api::JsonPath{"spec", "ipv4VXLANTunnelAddr"},
                               {"spec", "ipv6VXLANTunnelAddr"},
                               {"spec", "wireguard", "interfaceIPv4Address"},
                               {"spec", "bgp", "ipv4IPIPTunnelAddr"}}) {
        const auto address = api::text_at(node, path);
        if (address.empty()) continue;
        MARGAY_CHECK(use_text(address, by));
        ++count;
      }
    }
    say("Found {} node tunnel IPs.\n\n", count);
    return {};
  }

  Result<> read_workloads() {
    say("Loading all workload endpoints.\n");
    MARGAY_TRY(const auto endpoints, objects_.list(*find_resource_type("workloadendpoint"), ""));
    size_t count = 0;
    for (const auto& item : endpoints.items) {
      const auto& endpoint = item.get_object();
      const auto by =
          fmt::format("Workload({}/{})", api::text_at(endpoint, {"metadata", "namespace"}),
                      api::text_at(endpoint, {"metadata", "name"}));
      for (const auto& address : api::list_at(endpoint, {"spec", "ipNetworks"})) {
        if (!address.is_string()) continue;
        MARGAY_CHECK(use_text(address.get_string(), by));
        ++count;
      }
    }
    say("Found {} workload IPs.\n", count);
    say("Workloads and nodes are using {} IPs.\n\n", users_.size());
    return {};
  }

  void tell_nodes() {
    constexpr size_t k_most = 20;
    say("Looking for top (up to {}) nodes by allocations...\n", k_most);
    std::vector<std::pair<std::string, size_t>> nodes(of_node_.begin(), of_node_.end());
    std::ranges::stable_sort(nodes, std::greater(), [](const auto& node) { return node.second; });
    for (size_t i = 0; i < std::min(nodes.size(), k_most); ++i)
      say("  {} has {} allocations\n", nodes[i].first, nodes[i].second);
    if (!nodes.empty())
      say("Node with most allocations has {}; median is {}\n", nodes.front().second,
          nodes[nodes.size() / 2].second);
    say("\n");
  }

  size_t find_leaked() {
    say("Scanning for IPs that are allocated but not actually in use...\n");
    size_t leaked = 0;
    for (const auto& [address, allocation] : allocations_) {
      if (users_.contains(address)) continue;
      ++leaked;
      if (shows_problems_)
        say("  {} leaked; attrs {}\n", address.to_string(), allocation.attributes);
    }
    say("Found {} IPs that are allocated in IPAM but not actually in use.\n", leaked);
    return leaked;
  }

  size_t find_unassigned() {
    say("Scanning for IPs that are in use by a workload or node but not allocated in IPAM...\n");
    size_t outside = 0, inside = 0;
    for (const auto& [address, owners] : users_) {
      if (shows_problems_ && owners.size() > 1)
        say("  {} has multiple owners.\n", address.to_string());
      if (allocations_.contains(address)) continue;
      const bool is_in_pool = std::ranges::any_of(
          pools_, [&](const base::Prefix& pool) { return pool.contains(address); });
      ++(is_in_pool ? inside : outside);
      if (!shows_problems_) continue;
      for (const auto& owner : owners)
        say("  {} in use by {} {}.\n", address.to_string(), owner,
            is_in_pool ? "and in active IPAM pool but has no IPAM allocation"
                       : "is not in any active IP pool");
    }
    say("Found {} in-use IPs that are not in active IP pools.\n", outside);
    say("Found {} in-use IPs that are in active IP pools but have no corresponding IPAM "
        "allocation.\n",
        inside);
    return outside + inside;
  }

  // What v3.19 does not look for; it tells nothing where there is nothing.
  Result<size_t> find_broken_records() {
    MARGAY_TRY(const auto audit, ipam::check(store_));
    size_t broken = 0;
    for (const auto& finding : audit.findings) {
      if (ipam::is_harmless(finding.problem)) continue;
      if (broken++ == 0) say("\nScanning for records that contradict each other...\n");
      say("  {}: {}: {}\n", ipam::to_string(finding.problem), finding.subject, finding.detail);
    }
    return broken;
  }

  store::Store& store_;
  Objects objects_;
  const bool shows_all_;
  const bool shows_problems_;
  std::string out_;
  json::object cluster_;
  std::vector<base::Prefix> pools_;
  std::map<IPAddress, Allocation> allocations_;
  std::map<IPAddress, std::vector<std::string>> users_;
  std::map<std::string, size_t> of_node_;
};

}  // namespace

Outcome check_ipam(const IpamCheckArguments& arguments, const Connect& connect) {
  const auto store = connect(Access::read);
  if (!store) return {.output = {}, .error = store.error().message};
  Checker checker(**store, arguments);
  const auto done = checker.run();
  Outcome outcome{.output = checker.take_output(),
                  .error = done ? std::string() : done.error().message};
  if (!done || arguments.output.empty()) return outcome;
  if (const auto written = base::write_file(arguments.output, indented_json(checker.report()));
      !written)
    outcome.error = written.error().message;
  return outcome;
}

}  // namespace margay::ctl
