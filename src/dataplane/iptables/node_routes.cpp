#include "dataplane/iptables/node_routes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "net/conntrack.h"
#include "net/sysctl.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using net::Route;
using policy::IPFamily;
using policy::ProgramRoute;

Result<> unless_missing(Result<> result) {
  if (!result && result.error().code == base::ErrorCode::not_found) return {};
  return result;
}

// Of what the kernel reports only this was asked for; it fills in the rest itself.
bool carries_as(const Route& kernel, const Route& wanted) {
  return kernel.type == wanted.type && kernel.via == wanted.via &&
         (wanted.link == 0 || kernel.link == wanted.link);
}

bool leads_to_workload(const Route& route) {
  return route.type == net::RouteType::unicast && route.destination.is_single() && !route.via;
}

bool encapsulates(policy::Encapsulation mode, bool same_subnet) {
  return mode == policy::Encapsulation::always ||
         (mode == policy::Encapsulation::cross_subnet && !same_subnet);
}

}  // namespace

Result<std::unique_ptr<NodeRoutes>> NodeRoutes::create(const Config& config) {
  MARGAY_TRY(auto routes, net::NetlinkSocket::open());
  MARGAY_TRY(auto conntrack, net::NetlinkSocket::open(NETLINK_NETFILTER));
  return std::unique_ptr<NodeRoutes>(
      new NodeRoutes(config, std::move(routes), std::move(conntrack)));
}

NodeRoutes::NodeRoutes(const Config& config, net::NetlinkSocket route_socket,
                       net::NetlinkSocket conntrack_socket)
    : config_(config),
      socket_(std::move(route_socket)),
      conntrack_(std::move(conntrack_socket)),
      vxlan_v4_(config, IPFamily::v4),
      vxlan_v6_(config, IPFamily::v6) {}

void NodeRoutes::on_delta(const policy::Delta& delta) {
  std::visit([this](const auto& update) { on(update); }, delta);
}

void NodeRoutes::on(const policy::RouteUpdate& update) {
  if (update.route.destination.family() == IPFamily::v6 && !config_.ipv6) return;
  routes_[update.route.destination] = update.route;
  pending_.insert(update.route.destination);
}
void NodeRoutes::on(const policy::RouteRemove& update) {
  if (routes_.erase(update.destination) > 0) pending_.insert(update.destination);
}

void NodeRoutes::on(const policy::WorkloadUpdate& update) {
  const auto& endpoint = update.workload.endpoint;
  on(policy::WorkloadRemove{endpoint.key});
  const std::string& name = endpoint.interface_name;
  if (name.empty()) return;
  if (!is_workload_interface(name))
    spdlog::error(
        "endpoint {}: interface {} does not begin with interfacePrefix, so no policy would hold "
        "for it: it gets no routes",
        endpoint.key.id(), name);
  Claim claim{.admin_up = endpoint.admin_up};
  if (auto mac = net::MacAddress::parse(endpoint.mac)) claim.mac = *mac;
  interfaces_[name].insert_or_assign(endpoint.key, claim);
  interface_of_[endpoint.key] = name;
  touch_interface(name);
}

void NodeRoutes::on(const policy::WorkloadRemove& update) {
  const auto named = interface_of_.find(update.key);
  if (named == interface_of_.end()) return;
  const std::string name = named->second;
  interface_of_.erase(named);
  auto& claims = interfaces_[name];
  claims.erase(update.key);
  if (claims.empty()) interfaces_.erase(name);
  touch_interface(name);
}

const NodeRoutes::Claim* NodeRoutes::claim_on(const std::string& name) const {
  const auto claims = interfaces_.find(name);
  if (claims == interfaces_.end() || !is_workload_interface(name)) return nullptr;
  const Claim& first = claims->second.begin()->second;
  return first.admin_up ? &first : nullptr;
}

void NodeRoutes::on(const policy::TunnelUpdate& update) {
  vxlan_v4_.set_tunnel(update.tunnel);
  vxlan_v6_.set_tunnel(update.tunnel);
}
void NodeRoutes::on(const policy::TunnelRemove& update) {
  (update.family == IPFamily::v4 ? vxlan_v4_ : vxlan_v6_).remove_tunnel(update.node);
}
void NodeRoutes::on(const policy::PoolUpdate& update) {
  vxlan_v4_.set_pool(update.pool);
  vxlan_v6_.set_pool(update.pool);
}
void NodeRoutes::on(const policy::PoolRemove& update) {
  vxlan_v4_.remove_pool(update.name);
  vxlan_v6_.remove_pool(update.name);
}
void NodeRoutes::on(const policy::HostUpdate& update) {
  vxlan_v4_.set_host(update.host);
  vxlan_v6_.set_host(update.host);
}
void NodeRoutes::on(const policy::HostRemove& update) {
  if (update.name == config_.node) on(policy::HostUpdate{.host = {.name = update.name}});
}

bool NodeRoutes::is_workload_interface(std::string_view name) const {
  return std::ranges::any_of(config_.interface_prefixes,
                             [&](const auto& prefix) { return name.starts_with(prefix); });
}

void NodeRoutes::touch_interface(const std::string& name) {
  for (const auto& [destination, route] : routes_)
    if (route.interface_name == name) pending_.insert(destination);
}

// The kernel takes IPv4 routes away with a link that goes down; so what is known of them is
// forgotten and they are written again.
void NodeRoutes::on_interface_change(const std::string& name, bool up) {
  const bool workload = is_workload_interface(name);
  if (!up) configured_.erase(name);
  for (auto* device : {&vxlan_v4_, &vxlan_v6_})
    if (!workload) device->touch();
  for (const auto& [destination, route] : routes_) {
    const bool affected = workload ? route.interface_name == name : route.interface_name.empty();
    if (!affected) continue;
    if (kernel_ && !up) kernel_->erase(destination);
    pending_.insert(destination);
  }
}

void NodeRoutes::resync() {
  kernel_.reset();
  configured_.clear();
  vxlan_v4_.touch();
  vxlan_v6_.touch();
}

Result<> NodeRoutes::load() {
  MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
  if (config_.ipv6) MARGAY_CHECK(net::write_sysctl("net/ipv6/conf/all/forwarding", "1"));
  MARGAY_TRY(const auto listed, net::list_routes(socket_, {.protocol = config_.route_protocol}));
  std::map<base::Prefix, Route> kernel;
  for (const auto& route : listed) kernel.emplace(route.destination, route);
  for (const auto& [destination, route] : kernel) pending_.insert(destination);
  for (const auto& [destination, route] : routes_) pending_.insert(destination);
  kernel_ = std::move(kernel);
  return {};
}

Result<> NodeRoutes::apply() {
  if (!kernel_) MARGAY_CHECK(load());
  Result<> result = apply_tunnels();
  for (auto item = pending_.begin(); item != pending_.end();) {
    const auto done = apply_route(*item);
    if (!done && result) result = base::fail(done.error());
    if (done && *done) {
      item = pending_.erase(item);
    } else {
      ++item;
    }
  }
  return result;
}

Result<> NodeRoutes::apply_tunnels() {
  for (auto* device : {&vxlan_v4_, &vxlan_v6_}) {
    const auto before = device->link();
    MARGAY_CHECK(device->apply(socket_));
    if (device->link() == before) continue;
    for (const auto& [destination, route] : routes_)
      if (route.next_hop) pending_.insert(destination);
  }
  return {};
}

// True: as desired. False: waits for an interface.
Result<bool> NodeRoutes::apply_route(const base::Prefix& destination) {
  const auto desired = routes_.find(destination);
  std::optional<Route> wanted;
  bool waiting = false;
  if (desired != routes_.end()) {
    MARGAY_TRY(wanted, kernel_route(desired->second));
    waiting = !wanted && waits(desired->second);
  }
  if (!wanted) {
    MARGAY_CHECK(remove_route(destination));
    return !waiting;
  }
  const auto there = kernel_->find(destination);
  if (there != kernel_->end() && carries_as(there->second, *wanted)) return true;
  // Not one step: the kernel keeps IPv6 routes of different types side by side.
  if (there != kernel_->end()) MARGAY_CHECK(remove_route(destination));
  MARGAY_CHECK(net::replace_route(socket_, *wanted));
  kernel_->insert_or_assign(destination, *wanted);
  return true;
}

Result<> NodeRoutes::remove_route(const base::Prefix& destination) {
  const auto there = kernel_->find(destination);
  if (there == kernel_->end()) return {};
  const Route route = there->second;
  MARGAY_CHECK(unless_missing(net::delete_route(socket_, route)));
  kernel_->erase(there);
  if (!leads_to_workload(route)) return {};
  // The next workload with this address must not inherit what the last one was allowed.
  if (auto gone = net::delete_conntrack_flows(conntrack_, destination.address()); !gone)
    return base::fail(
        std::move(gone).error().wrap("flows of " + destination.address().to_string()));
  return unless_missing(net::delete_neighbour(socket_, route.link, destination.address()));
}

// Nothing to program now, but there will be once its interface is usable.
bool NodeRoutes::waits(const ProgramRoute& route) const {
  switch (route.kind) {
    case ProgramRoute::Kind::local_workload:
      return claim_on(route.interface_name) != nullptr;
    case ProgramRoute::Kind::remote_workload:
      return encapsulates(route.vxlan, route.same_subnet);
    default:
      return false;
  }
}

Result<std::optional<Route>> NodeRoutes::kernel_route(const ProgramRoute& route) {
  switch (route.kind) {
    case ProgramRoute::Kind::local_workload:
      return local_route(route);
    case ProgramRoute::Kind::local_block:
      return Route{.destination = route.destination,
                   .type = net::RouteType::blackhole,
                   .protocol = config_.route_protocol};
    case ProgramRoute::Kind::remote_workload:
      return remote_route(route);
    case ProgramRoute::Kind::remote_host:  // the underlay's business
    case ProgramRoute::Kind::pool:
      break;
  }
  return std::nullopt;
}

Result<std::optional<Route>> NodeRoutes::local_route(const ProgramRoute& route) {
  const std::string& name = route.interface_name;
  const Claim* claim = claim_on(name);
  if (!claim) return std::nullopt;
  const auto link = net::get_link(socket_, name);
  if (!link && link.error().code == base::ErrorCode::not_found) return std::nullopt;
  if (!link) return base::fail(link.error());
  if (!link->up) return std::nullopt;
  MARGAY_CHECK(set_up_interface(name));
  if (claim->mac)
    MARGAY_CHECK(net::replace_neighbour(
        socket_,
        {.link = link->index, .address = route.destination.address(), .mac = *claim->mac}));
  return Route{.destination = route.destination,
               .link = link->index,
               .scope = route.destination.family() == IPFamily::v4 ? net::RouteScope::link
                                                                   : net::RouteScope::universe,
               .protocol = config_.route_protocol};
}

Result<std::optional<Route>> NodeRoutes::remote_route(const ProgramRoute& route) {
  if (!route.next_hop) return std::nullopt;
  if (encapsulates(route.ipip, route.same_subnet)) {
    spdlog::warn("no route to {}: its pool asks for IPIP, which this data plane does not do",
                 route.destination.to_string());
    return std::nullopt;
  }
  Route wanted{.destination = route.destination, .protocol = config_.route_protocol};
  if (encapsulates(route.vxlan, route.same_subnet)) {
    const auto& device = route.destination.family() == IPFamily::v4 ? vxlan_v4_ : vxlan_v6_;
    wanted.via = device.gateway(route.node);
    if (!device.link() || !wanted.via) return std::nullopt;
    wanted.link = *device.link();
    wanted.onlink = true;
    return wanted;
  }
  // Beyond our link it is for the fabric, which our default route leads to.
  if (!route.same_subnet) return std::nullopt;
  wanted.via = route.next_hop;
  return wanted;
}

// docs: kernel Documentation/networking/ip-sysctl.rst.
Result<> NodeRoutes::set_up_interface(const std::string& name) {
  if (configured_.contains(name)) return {};
  const std::string v4 = "net/ipv4/conf/" + name + "/", v6 = "net/ipv6/conf/" + name + "/";
  MARGAY_CHECK(net::write_sysctl(v4 + "rp_filter", "1"));
  MARGAY_CHECK(net::write_sysctl(v4 + "proxy_arp", "1"));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/neigh/" + name + "/proxy_delay", "0"));
  MARGAY_CHECK(net::write_sysctl(v4 + "forwarding", "1"));
  if (config_.ipv6) {
    MARGAY_CHECK(net::write_sysctl(v6 + "accept_ra", "0"));
    MARGAY_CHECK(net::write_sysctl(v6 + "proxy_ndp", "1"));
    MARGAY_CHECK(net::write_sysctl(v6 + "forwarding", "1"));
  }
  configured_.insert(name);
  return {};
}

Result<> NodeRoutes::clean_up() {
  MARGAY_TRY(const auto listed, net::list_routes(socket_, {.protocol = config_.route_protocol}));
  for (const auto& route : listed) MARGAY_CHECK(unless_missing(net::delete_route(socket_, route)));
  for (auto* device : {&vxlan_v4_, &vxlan_v6_}) MARGAY_CHECK(device->remove(socket_));
  resync();
  return {};
}

}  // namespace margay::dataplane::iptables
