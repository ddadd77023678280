#include "ctl/ipam_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <span>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/file.h"
#include "ctl/ipam_blocks.h"
#include "ctl/objects.h"
#include "ctl/text_table.h"
#include "ipam/collection.h"
#include "ipam/ipam.h"
#include "ipam/pools.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;
using ipam::Block;

Outcome failed(std::string error, std::string output = {}) {
  return {.output = std::move(output), .error = std::move(error)};
}

// Runs `work` on the datastore; what it returns is printed.
Outcome with_store(const Connect& connect, Access access,
                   const std::function<Result<std::string>(store::Store&)>& work) {
  const auto store = connect(access);
  if (!store) return failed(store.error().message);
  auto output = work(**store);
  if (!output) return failed(output.error().message);
  return {.output = *std::move(output), .error = {}};
}

Result<IPAddress> parse_address(const std::string& text) {
  auto address = IPAddress::parse(text);
  if (!address)
    return fail(ErrorCode::invalid,
                "Error executing command: invalid IP address specified: " + text);
  return address;
}

// ---- show
// -----------------------------------------------------------------------------------------

Row usage_row(std::string_view grouping, const base::Prefix& cidr, double used, double capacity) {
  const double free = capacity - used;
  return {std::string(grouping), cidr.to_string(), fmt::format("{:.5g}", capacity),
          fmt::format("{:.5g} ({:.0f}%)", used, 100 * used / capacity),
          fmt::format("{:.5g} ({:.0f}%)", free, 100 * free / capacity)};
}

double capacity_of(const Block& block) {
  return static_cast<double>(block.object().spec.allocations.size());
}

double used_of(const Block& block) {
  return capacity_of(block) - static_cast<double>(block.free());
}

// Each pool with the blocks in it, then blocks of pools that are gone.
Result<std::string> show_usage(store::Store& store, bool with_blocks) {
  MARGAY_TRY(const auto pools, ipam::load_pools(store));
  MARGAY_TRY(const auto blocks, read_blocks(store));
  std::vector<Row> rows;
  std::vector<bool> is_told(blocks.size());
  const auto add_blocks = [&](const base::Prefix* pool) {
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (is_told[i] || (pool != nullptr && !pool->overlaps(blocks[i].cidr()))) continue;
      is_told[i] = true;
      if (with_blocks)
        rows.push_back(
            usage_row("Block", blocks[i].cidr(), used_of(blocks[i]), capacity_of(blocks[i])));
    }
  };
  for (const auto& pool : pools) {
    double used = 0;
    for (size_t i = 0; i < blocks.size(); ++i)
      if (!is_told[i] && pool.cidr.overlaps(blocks[i].cidr())) used += used_of(blocks[i]);
    const auto bits = pool.cidr.address().bits() - pool.cidr.length();
    rows.push_back(usage_row("IP Pool", pool.cidr, used, std::pow(2.0, bits)));
    add_blocks(&pool.cidr);
  }
  add_blocks(nullptr);
  return framed_table({"GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS FREE"}, rows);
}

Result<std::string> show_address(store::Store& store, const IPAddress& address) {
  MARGAY_TRY(const auto blocks, read_blocks(store));
  for (const auto& block : blocks) {
    const auto allocation = block.find(address);
    if (!allocation) continue;
    auto text = fmt::format("IP {} is in use\n", address.to_string());
    const auto& attributes = allocation->attribute.secondary;
    text += attributes.empty() ? "No attributes defined\n" : "Attributes:\n";
    for (const auto& [key, value] : attributes) text += fmt::format("  {}: {}\n", key, value);
    return text;
  }
  return fmt::format("{} is not assigned\n", address.to_string());
}

Result<std::string> show_borrowed(store::Store& store) {
  MARGAY_TRY(const auto blocks, read_blocks(store));
  std::vector<Row> rows;
  size_t unknown = 0;
  for (const auto& block : blocks) {
    const auto owner = block.host().value_or("");
    for (const auto& [address, attribute] : block.allocations()) {
      const auto facts = facts_of(attribute);
      if (facts.node.empty()) {
        ++unknown;
      } else if (facts.node != owner) {
        const bool is_pod = !facts.pod.empty();
        rows.push_back({address.to_string(), facts.node, block.cidr().to_string(), owner,
                        is_pod ? "pod" : facts.type,
                        is_pod ? fmt::format("{}/{}", facts.ns, facts.pod) : ""});
      }
    }
  }
  auto text =
      framed_table({"IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO"}, rows);
  if (unknown > 0)
    text += fmt::format(
        "\nNote: found {} IP allocations without an explicit node association. Unable to determine "
        "if they are borrowed.\n",
        unknown);
  return text;
}

Result<std::string> show_configuration(store::Store& store) {
  MARGAY_TRY(const auto config, ipam::Ipam(store).config());
  const auto limit = config.max_blocks_per_host == ipam::k_default_blocks_per_host
                         ? 0
                         : config.max_blocks_per_host;  // 0 stands for the default
  return framed_table({"PROPERTY", "VALUE"},
                      {{"StrictAffinity", fmt::format("{}", config.strict_affinity)},
                       {"AutoAllocateBlocks", fmt::format("{}", config.auto_allocate_blocks)},
                       {"MaxBlocksPerHost", fmt::format("{}", limit)}});
}

// ---- release
// --------------------------------------------------------------------------------------

Result<std::string> release_address(store::Store& store, const IPAddress& address) {
  const std::array one{address};
  MARGAY_TRY(const size_t released, ipam::Ipam(store).release(one));
  if (released == 0)
    return fail(ErrorCode::not_found,
                fmt::format("IP address {} is not assigned", address.to_string()));
  return fmt::format("Successfully released IP address {}\n", address.to_string());
}

// That the report is of this cluster, as it is now. What is overruled by `force` is told.
Result<std::string> check_report(store::Store& store, const json::object& report, bool force) {
  MARGAY_TRY(const auto cluster,
             Objects(store).get(*find_resource_type("clusterinformation"), "", "default"));
  using api::text_at;
  if (text_at(cluster, {"spec", "clusterGUID"}) != text_at(report, {"clusterGUID"}))
    return fail(ErrorCode::conflict,
                "Cluster does not match the provided report: mismatched cluster GUID. Refusing to "
                "release.");
  if (text_at(cluster, {"metadata", "resourceVersion"}) !=
      text_at(report, {"clusterInformationRevision"}))
    return fail(
        ErrorCode::conflict,
        "The provided report is stale, please generate a new report while the data store is "
        "locked and try again.");
  std::string warnings;
  const auto* ready = api::find_at(cluster, {"spec", "datastoreReady"});
  if (ready == nullptr || *ready != false) {
    if (!force)
      return fail(ErrorCode::conflict,
                  "Data store is not locked. Either lock the data store, or re-run with --force.");
    warnings += "WARNING: Data store is not locked. Ignoring due to --force option\n";
  }
  if (const auto version = text_at(report, {"version"}); version != MARGAY_VERSION) {
    if (!force)
      return fail(ErrorCode::conflict,
                  fmt::format("The provided report was produced using a different version ({}) of "
                              "calicoctl. Refusing to release.",
                              version));
    warnings +=
        "WARNING: Report was produced using a different version of calicoctl. Ignoring due to "
        "--force option\n";
  }
  return warnings;
}

// By address: the handle that had it.
using Leaked = std::map<IPAddress, std::string>;

Result<Leaked> leaked_in(const json::object& report) {
  Leaked leaked;
  for (const auto& [address, allocations] : api::object_at(report, {"allocations"})) {
    const auto* list = allocations.if_array();
    if (list == nullptr) return fail(ErrorCode::invalid, "the report is not one of ipam check's");
    for (const auto& allocation : *list) {
      if (!allocation.is_object() || api::flag_at(allocation.get_object(), {"inUse"})) continue;
      MARGAY_TRY(const auto parsed,
                 parse_address(std::string(api::text_at(allocation.get_object(), {"ip"}))));
      leaked.emplace(parsed, api::text_at(allocation.get_object(), {"handle"}));
    }
  }
  return leaked;
}

// What pods still hold as the report has it, all of a handle's. Whether it is nobody's now is
// collect()'s to decide, address by address: nothing keeps a cluster as it was when it was looked
// at.
Result<ipam::CollectionPlan> still_leaked(store::Store& store, const Leaked& leaked) {
  MARGAY_TRY(auto holdings, ipam::load_holdings(store));
  ipam::CollectionPlan plan;
  for (auto& holding : holdings.held) {
    if (holding.holder.kind != ipam::Holder::Kind::pod) continue;
    const auto addresses = ipam::addresses_of(holding);
    const bool is_reported = std::ranges::all_of(addresses, [&](const IPAddress& address) {
      const auto found = leaked.find(address);
      return found != leaked.end() && found->second == holding.handle_id;
    });
    if (is_reported) plan.orphans.push_back(std::move(holding));
  }
  return plan;
}

Result<std::string> release_reported(store::Store& store, const json::object& report, bool force) {
  MARGAY_TRY(auto text, check_report(store, report, force));
  MARGAY_TRY(const auto leaked, leaked_in(report));
  if (leaked.empty()) {
    text += "No addresses need to be released.\n";
  } else {
    text += fmt::format("Releasing {} old IPs\n", leaked.size());
    MARGAY_TRY(const auto plan, still_leaked(store, leaked));
    const auto collected = ipam::collect(store, plan);
    MARGAY_CHECK(collected.error);
    text += collected.addresses < leaked.size()
                ? fmt::format(
                      "Released {} IPs. Warning: report contained addresses which are no "
                      "longer allocated, or may be in use\n",
                      collected.addresses)
                : fmt::format("Released {} IPs successfully\n", leaked.size());
  }
  return text + "You may now unlock the data store.\n";
}

Result<json::object> read_report(const std::string& file) {
  MARGAY_TRY(const auto text, base::read_file(file));
  auto value = api::parse_json(text, api::k_envelope_limits);
  if (!value || !value->is_object())
    return fail(ErrorCode::invalid, file + ": is not a report of ipam check");
  return std::move(value->get_object());
}

std::optional<bool> parse_flag(std::string_view text) {
  for (const auto* yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const auto* no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return std::nullopt;
}

}  // namespace

Outcome show_ipam(const IpamShowArguments& arguments, const Connect& connect) {
  std::optional<IPAddress> address;
  if (!arguments.ip.empty()) {
    const auto parsed = parse_address(arguments.ip);
    if (!parsed) return failed(parsed.error().message);
    address = *parsed;
  }
  return with_store(connect, Access::read, [&](store::Store& store) {
    if (address) return show_address(store, *address);
    if (arguments.borrowed) return show_borrowed(store);
    if (arguments.configuration) return show_configuration(store);
    return show_usage(store, arguments.blocks);
  });
}

Outcome release_ipam(const IpamReleaseArguments& arguments, const Connect& connect) {
  if (!arguments.report.empty()) {
    const auto report = read_report(arguments.report);
    if (!report) return failed(report.error().message);
    return with_store(connect, Access::write, [&](store::Store& store) {
      return release_reported(store, *report, arguments.force);
    });
  }
  const auto address = parse_address(arguments.ip);
  if (!address) return failed(address.error().message);
  return with_store(connect, Access::write,
                    [&](store::Store& store) { return release_address(store, *address); });
}

Outcome configure_ipam(const std::string& strict_affinity, const Connect& connect) {
  const auto is_strict = parse_flag(strict_affinity);
  if (!is_strict) return failed("Invalid value. Use true or false to set strictaffinity");
  return with_store(connect, Access::write, [&](store::Store& store) -> Result<std::string> {
    ipam::Ipam ipam(store);
    MARGAY_TRY(auto config, ipam.config());
    config.strict_affinity = *is_strict;
    if (!config.strict_affinity && !config.auto_allocate_blocks)
      return fail(
          ErrorCode::invalid,
          "Error: Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at the same time");
    MARGAY_CHECK(ipam.set_config(config));
    return fmt::format("Successfully set StrictAffinity to: {}\n", *is_strict);
  });
}

}  // namespace margay::ctl
