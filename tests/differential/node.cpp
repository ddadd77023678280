#include "differential/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/process.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "net/netlink.h"
#include "net/route.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::Delta;
using policy::ProgramRoute;

// Packets to other nodes all leave by the default route: how they are carried is not compared here.
bool concerns_other_nodes(const Delta& delta) {
  if (const auto* update = std::get_if<policy::RouteUpdate>(&delta))
    return update->route.kind != ProgramRoute::Kind::local_workload &&
           update->route.kind != ProgramRoute::Kind::pool;
  return std::holds_alternative<policy::TunnelUpdate>(delta) ||
         std::holds_alternative<policy::TunnelRemove>(delta);
}

template <typename Key, typename Value>
void append(const std::map<Key, Value>& table, std::vector<policy::ModelChange>& changes) {
  for (const auto& [key, value] : table) changes.push_back(policy::Change<Key, Value>{key, value});
}

// Drops comments and counters; sets are told by type and family alone.
std::string normalised(const std::string& line) {
  if (line.starts_with('#')) return "";
  if (line.starts_with(':')) return line.substr(0, line.find(" ["));
  if (line.starts_with("create ")) return line.substr(0, line.find(" hashsize"));
  return line;
}

Result<> append_output(const std::vector<std::string>& argv, std::vector<std::string>& lines) {
  MARGAY_TRY(const std::string output, base::run_checked({.argv = argv}));
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) {
    line = normalised(line);
    if (line.contains("cali")) lines.push_back(argv[0] + " " + line);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<dataplane::DataPlane>> make_dataplane(const std::string& name) {
  if (name == "iptables" || name == "iptables-nft" || name == "iptables-legacy") {
    dataplane::iptables::Config config{.node = k_node};
    if (name == "iptables-nft") config.backend = dataplane::iptables::Backend::nft;
    if (name == "iptables-legacy") config.backend = dataplane::iptables::Backend::legacy;
    return dataplane::iptables::IptablesDataPlane::create(std::move(config));
  }
  return base::fail(
      base::ErrorCode::invalid,
      fmt::format("--dataplane {}: must be iptables, iptables-nft or iptables-legacy", name));
}

std::vector<policy::ModelChange> changes_of(const policy::Model& model) {
  std::vector<policy::ModelChange> changes;
  append(model.tiers, changes);
  append(model.profiles, changes);
  append(model.policies, changes);
  append(model.workloads, changes);
  append(model.host_endpoints, changes);
  append(model.network_sets, changes);
  append(model.pools, changes);
  append(model.hosts, changes);
  append(model.blocks, changes);
  return changes;
}

Result<Node> Node::start(const std::string& dataplane, const policy::Model& model) {
  MARGAY_TRY(auto made, make_dataplane(dataplane));
  Node node(std::move(made));
  for (const auto& change : changes_of(model)) node.graph_->on_change(change);
  node.graph_->on_in_sync();
  MARGAY_CHECK(node.flush());
  return node;
}

Result<> Node::change(const std::vector<policy::ModelChange>& changes) {
  for (const auto& change : changes) graph_->on_change(change);
  return flush();
}

Result<> Node::flush() {
  for (const auto& delta : graph_->flush()) {
    MARGAY_CHECK(program_.apply(delta));
    if (!concerns_other_nodes(delta)) dataplane_->on_delta(delta);
  }
  return dataplane_->apply();
}

Result<std::vector<std::string>> programmed_state() {
  std::vector<std::string> lines;
  for (const char* program :
       {"iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"})
    MARGAY_CHECK(append_output({program}, lines));
  MARGAY_CHECK(append_output({"ipset", "save"}, lines));
  MARGAY_TRY(auto socket, net::NetlinkSocket::open());
  MARGAY_TRY(const auto routes, net::list_routes(socket, {.protocol = 80}));
  for (const auto& route : routes)
    lines.push_back(fmt::format("route {} link {}", route.to_string(), route.link));
  std::ranges::sort(lines);
  return lines;
}

}  // namespace margay::differential
