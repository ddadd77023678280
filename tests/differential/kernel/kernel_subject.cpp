#include "differential/kernel/kernel_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "base/process.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/nftables/kernel_table.h"
#include "dataplane/nftables/nftables_dataplane.h"
#include "net/netlink.h"
#include "net/route.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::Delta;
using policy::ProgramRoute;

constexpr size_t k_most_drift_lines = 10;

// Packets to other nodes all leave by the default route: how they are carried is not compared here.
bool concerns_other_nodes(const Delta& delta) {
  if (const auto* update = std::get_if<policy::RouteUpdate>(&delta))
    return update->route.kind != ProgramRoute::Kind::local_workload &&
           update->route.kind != ProgramRoute::Kind::pool;
  return std::holds_alternative<policy::TunnelUpdate>(delta) ||
         std::holds_alternative<policy::TunnelRemove>(delta);
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

// Rules as nft prints them, each under its chain's name; members as read back, since nft prints
// them in no order.
Result<> append_nftables(std::vector<std::string>& lines) {
  MARGAY_TRY(const std::string output,
             base::run_checked({.argv = {"nft", "--terse", "list", "ruleset"}}));
  std::istringstream stream(output);
  std::string table, block;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("table ")) {
      table = line;
      block.clear();
    }
    if (line.starts_with("\t") && line.ends_with("{")) block = line;
    if (table.contains(" calico ") && !line.ends_with("}") && !line.empty())
      lines.push_back(table + block + line);
  }
  MARGAY_TRY(auto socket, net::NetlinkSocket::open(NETLINK_NETFILTER));
  for (const auto family : {policy::IPFamily::v4, policy::IPFamily::v6}) {
    MARGAY_TRY(const auto found, dataplane::nftables::read_sets(socket, family));
    for (const auto& [name, set] : found.sets)
      for (const auto& member : set.elements)
        lines.push_back(fmt::format("nft {} {} {} {}", name, member.net.to_string(),
                                    member.protocol, member.port));
    for (const auto& [name, map] : found.maps)
      for (const auto& [interface, chain] : map.chains)
        lines.push_back(fmt::format("nft {} {} {}", name, interface, chain));
  }
  return {};
}

dataplane::linux_host::EndpointToHostAction to_host(
    policy::HostTrafficSettings::FromWorkload what) {
  using Action = dataplane::linux_host::EndpointToHostAction;
  using FromWorkload = policy::HostTrafficSettings::FromWorkload;
  if (what == FromWorkload::accept) return Action::accept;
  return what == FromWorkload::drop ? Action::drop : Action::pass_on;
}

// What an operator may decide about the rules' form, which decides about no packet where no other
// program has rules: anything of it, the same for the same settings.
void vary_form(const policy::HostTrafficSettings& settings, dataplane::linux_host::Config& config) {
  using namespace dataplane::linux_host;
  std::minstd_rand random(static_cast<uint32_t>(settings.from_workload) + 1);
  for (const auto* failsafes : {&settings.failsafes.inbound, &settings.failsafes.outbound})
    for (const auto& failsafe : *failsafes) random.seed(random() ^ failsafe.port);
  const auto by_chance = [&random] { return (random() >> 8U) % 2 == 0; };
  if (by_chance()) config.insert_mode = InsertMode::append;
  if (by_chance()) config.filter_allow = AllowAction::pass_on;
  if (by_chance()) config.mangle_allow = AllowAction::pass_on;
  if (by_chance()) config.drop_invalid = false;
  if (by_chance()) config.mark_mask = 0x00300000;  // the fewest bits
  if (by_chance()) config.interface_prefixes.emplace_back("tap");
}

Result<std::unique_ptr<dataplane::DataPlane>> make_dataplane(
    const std::string& name, const policy::HostTrafficSettings& settings) {
  dataplane::linux_host::Config config{.node = k_node,
                                       .endpoint_to_host = to_host(settings.from_workload),
                                       .failsafes = settings.failsafes};
  vary_form(settings, config);
  if (name == "nftables") return dataplane::nftables::NftablesDataPlane::create(std::move(config));
  if (name == "iptables-nft") config.backend = dataplane::iptables::Backend::nft;
  if (name == "iptables-legacy") config.backend = dataplane::iptables::Backend::legacy;
  if (name == "iptables" || config.backend != dataplane::iptables::Backend::automatic)
    return dataplane::iptables::IptablesDataPlane::create(std::move(config));
  return base::fail(base::ErrorCode::invalid,
                    fmt::format("--dataplane {}: must be nftables, iptables, iptables-nft or "
                                "iptables-legacy",
                                name));
}

// Everything in the kernel that a data plane owns, as sorted lines without counters: equal states
// enforce the same.
Result<std::vector<std::string>> programmed_state() {
  std::vector<std::string> lines;
  for (const char* program :
       {"iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"})
    MARGAY_CHECK(append_output({program}, lines));
  MARGAY_CHECK(append_output({"ipset", "save"}, lines));
  MARGAY_CHECK(append_nftables(lines));
  MARGAY_TRY(auto socket, net::NetlinkSocket::open());
  MARGAY_TRY(const auto routes, net::list_routes(socket, {.protocol = 80}));
  for (const auto& route : routes)
    lines.push_back(fmt::format("route {} link {}", route.to_string(), route.link));
  std::ranges::sort(lines);
  return lines;
}

std::string lines_of(const char* which, const std::vector<std::string>& lines) {
  std::string out;
  for (size_t i = 0; i < lines.size() && i < k_most_drift_lines; ++i)
    out += fmt::format("only {}: {}\n", which, lines[i]);
  if (lines.size() > k_most_drift_lines)
    out += fmt::format("only {}: {} lines more\n", which, lines.size() - k_most_drift_lines);
  return out;
}

}  // namespace

Result<std::unique_ptr<KernelSubject>> KernelSubject::create(const std::string& dataplane) {
  MARGAY_TRY(Wire wire, Wire::create(k_many_workloads));
  return std::unique_ptr<KernelSubject>(new KernelSubject(dataplane, std::move(wire)));
}

Result<> KernelSubject::start(const policy::Model& model,
                              const policy::HostTrafficSettings& settings) {
  settings_ = settings;
  MARGAY_TRY(dataplane_, make_dataplane(dataplane_name_, settings));
  deltas_ = std::make_unique<DeltaSource>(k_node);
  MARGAY_TRY(const auto deltas, deltas_->start(model));
  return program(deltas);
}

Result<> KernelSubject::change(const std::vector<policy::ModelChange>& changes) {
  MARGAY_TRY(const auto deltas, deltas_->change(changes));
  return program(deltas);
}

Result<> KernelSubject::program(const std::vector<policy::Delta>& deltas) {
  for (const auto& delta : deltas)
    if (!concerns_other_nodes(delta)) dataplane_->on_delta(delta);
  return dataplane_->apply().outcome;
}

// What was reached step by step must be what a start from nothing gives; and a data plane that
// starts over its own state must leave it as it is.
Result<std::string> KernelSubject::start_over(const policy::Model& model) {
  std::string drift;
  MARGAY_TRY(const auto stepwise, programmed_state());
  MARGAY_CHECK(dataplane_->clean_up());
  MARGAY_TRY(const auto nothing, programmed_state());
  for (const auto& line : nothing) drift += "left by clean-up: " + line + "\n";
  MARGAY_CHECK(start(model, settings_));
  MARGAY_TRY(const auto afresh, programmed_state());
  std::vector<std::string> only_stepwise, only_afresh;
  std::ranges::set_difference(stepwise, afresh, std::back_inserter(only_stepwise));
  std::ranges::set_difference(afresh, stepwise, std::back_inserter(only_afresh));
  return drift + lines_of("stepwise", only_stepwise) + lines_of("afresh", only_afresh);
}

}  // namespace margay::differential
