#include "cni/addresses.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/clock.h"
#include "cni/delegate.h"
#include "ipam/ipam.h"
#include "store/store.h"

namespace margay::cni {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::IPFamily;

using AddressResult = CniResult<std::vector<IPAddress>>;

CniError ipam_error(const base::Error& error) {
  const bool none_left = error.code == ErrorCode::too_large || error.code == ErrorCode::invalid ||
                         error.code == ErrorCode::already_exists;
  return to_cni_error(error, none_left ? Code::no_addresses : Code::datastore);
}

ipam::Owner owner_of(const NetworkConfig& config, const Arguments& arguments,
                     const std::string& node) {
  ipam::Owner owner{
      .host = node,
      .handle_id = handle_id(config.name, arguments.container_id),
      .attributes = {{"node", node},
                     {"timestamp", base::to_rfc3339(base::SystemClock().wall_time())}}};
  if (arguments.pod) {
    owner.attributes["namespace"] = arguments.pod->ns;
    owner.attributes["pod"] = arguments.pod->name;
  }
  return owner;
}

// What a repeated ADD finds: exactly what it would assign.
bool satisfies(const std::vector<IPAddress>& held, const ipam::AssignRequest& wanted) {
  const auto of = [&](IPFamily family) {
    return static_cast<size_t>(std::ranges::count(held, family, &IPAddress::family));
  };
  const auto within = [&](const IPAddress& address) {
    const auto& pools = address.is_v4() ? wanted.v4_pools : wanted.v6_pools;
    return pools.empty() ||
           std::ranges::any_of(pools, [&](const auto& pool) { return pool.contains(address); });
  };
  return of(IPFamily::v4) == wanted.v4 && of(IPFamily::v6) == wanted.v6 &&
         std::ranges::all_of(held, within);
}

base::Result<std::vector<IPAddress>> assign_any(ipam::Ipam& ipam,
                                                const ipam::AssignRequest& wanted) {
  MARGAY_TRY(const bool known, ipam.knows(wanted.owner.handle_id));
  if (!known) return ipam.assign(wanted);
  MARGAY_TRY(auto held, ipam.keep(wanted.owner.handle_id));
  if (satisfies(held, wanted)) return held;
  // Of an ADD that died between the families, or asked for something else.
  MARGAY_CHECK(ipam.release_handle(wanted.owner.handle_id));
  return ipam.assign(wanted);
}

base::Result<std::vector<IPAddress>> assign_these(ipam::Ipam& ipam, const ipam::Owner& owner,
                                                  const std::vector<IPAddress>& addresses) {
  MARGAY_TRY(const auto held, ipam.keep(owner.handle_id));
  std::vector<IPAddress> unwanted;
  for (const auto& address : held) {
    if (std::ranges::find(addresses, address) == addresses.end()) unwanted.push_back(address);
  }
  MARGAY_CHECK(ipam.release(unwanted));
  for (const auto& address : addresses) {
    const auto assigned = ipam.assign_address(owner, address);
    if (assigned) continue;
    const auto released = ipam.release_handle(owner.handle_id);
    if (!released) {
      spdlog::warn("addresses are left assigned until DEL: {}", released.error().message);
    }
    return base::fail(assigned.error());
  }
  return addresses;
}

base::Result<ipam::AssignRequest> request_for(store::Store& store, const NetworkConfig& config,
                                              ipam::Owner owner, const PodWishes& wishes) {
  const auto& v4_pools = wishes.ipv4_pools.empty() ? config.ipam.ipv4_pools : wishes.ipv4_pools;
  const auto& v6_pools = wishes.ipv6_pools.empty() ? config.ipam.ipv6_pools : wishes.ipv6_pools;
  ipam::AssignRequest request{.owner = std::move(owner),
                              .v4 = config.ipam.assign_ipv4 ? 1U : 0U,
                              .v6 = config.ipam.assign_ipv6 ? 1U : 0U};
  if (v4_pools.empty() && v6_pools.empty()) return request;
  MARGAY_TRY(const auto pools, ipam::load_pools(store));
  MARGAY_TRY(request.v4_pools, ipam::resolve_pools(pools, v4_pools));
  MARGAY_TRY(request.v6_pools, ipam::resolve_pools(pools, v6_pools));
  return request;
}

// The pod's older container has what the pod asks for; its DEL is still to come. Which one that is
// an annotation says, which whoever made the pod may have written: of another pod nothing is taken.
base::Result<> release_older(ipam::Ipam& ipam, const NetworkConfig& config,
                             const Arguments& arguments, const PodWishes& wishes) {
  if (wishes.container_id.empty() || wishes.container_id == arguments.container_id) return {};
  if (!arguments.pod) return {};
  const auto older = handle_id(config.name, wishes.container_id);
  MARGAY_TRY(const bool its_own, ipam.holds_only(older, {{"namespace", arguments.pod->ns},
                                                         {"pod", arguments.pod->name}}));
  if (its_own) MARGAY_CHECK(ipam.release_handle(older));
  return {};
}

AddressResult assign_builtin(store::Store& store, const NetworkConfig& config,
                             const Arguments& arguments, const std::string& node,
                             const PodWishes& wishes) {
  ipam::Ipam ipam(store);
  const ipam::Owner owner = owner_of(config, arguments, node);
  std::vector<IPAddress> these = wishes.addresses;
  if (these.empty() && arguments.wanted_address) these = {*arguments.wanted_address};
  base::Result<std::vector<IPAddress>> assigned;
  if (!these.empty()) {
    const auto released = release_older(ipam, config, arguments, wishes);
    if (!released) return std::unexpected(ipam_error(released.error()));
    assigned = assign_these(ipam, owner, these);
  } else {
    const auto request = request_for(store, config, owner, wishes);
    if (!request) return std::unexpected(ipam_error(request.error()));
    assigned = assign_any(ipam, *request);
  }
  if (!assigned) return std::unexpected(ipam_error(assigned.error()));
  return *std::move(assigned);
}

}  // namespace

AddressResult assign_addresses(store::Store& store, const NetworkConfig& config,
                               const Arguments& arguments, const std::string& node,
                               const PodWishes& wishes) {
  const bool builtin = config.ipam.type == k_builtin_ipam;
  if (!builtin && !(wishes.addresses.empty() && wishes.addresses_no_ipam.empty())) {
    return fail(Code::failed, fmt::format("annotations ipAddrs and ipAddrsNoIpam need {}, not {}",
                                          k_builtin_ipam, config.ipam.type));
  }
  if (!wishes.addresses_no_ipam.empty()) {
    if (!config.feature_ip_addrs_no_ipam) {
      return fail(Code::failed,
                  "annotation ipAddrsNoIpam: feature_control.ip_addrs_no_ipam is off");
    }
    return wishes.addresses_no_ipam;
  }
  return builtin ? assign_builtin(store, config, arguments, node, wishes)
                 : delegate_add(store, config, arguments, node);
}

CniResult<> release_addresses(store::Store& store, const NetworkConfig& config,
                              const Arguments& arguments, const std::string& node) {
  if (config.ipam.type != k_builtin_ipam) return delegate_del(store, config, arguments, node);
  const auto released =
      ipam::Ipam(store).release_handle(handle_id(config.name, arguments.container_id));
  if (!released) return std::unexpected(ipam_error(released.error()));
  return {};
}

AddressResult addresses_of(store::Store& store, const NetworkConfig& config,
                           const Arguments& arguments) {
  if (config.ipam.type != k_builtin_ipam) return {};
  auto held =
      ipam::Ipam(store).readable_addresses_of(handle_id(config.name, arguments.container_id));
  if (!held) return std::unexpected(ipam_error(held.error()));
  return *std::move(held);
}

CniResult<> check_addresses(store::Store& store, const NetworkConfig& config,
                            const Arguments& arguments, const std::string& node,
                            const std::vector<IPAddress>& addresses) {
  if (config.ipam.type != k_builtin_ipam) return delegate_check(store, config, arguments, node);
  MARGAY_TRY(const auto held, addresses_of(store, config, arguments));
  for (const auto& address : addresses) {
    if (std::ranges::find(held, address) != held.end()) continue;
    return fail(Code::not_as_added,
                fmt::format("address {}: not assigned to the container", address.to_string()));
  }
  return {};
}

}  // namespace margay::cni
