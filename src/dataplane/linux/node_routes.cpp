#include "dataplane/linux/node_routes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "base/result_steps.h"
#include "net/conntrack.h"
#include "net/link.h"
#include "net/sysctl.h"

namespace margay::dataplane::linux_host {
namespace {

using base::keep_first;
using base::Result;
using base::unless_missing;
using net::Route;
using policy::IPFamily;
using policy::ProgramRoute;

// Of what the kernel reports only this was asked for; it fills in the rest itself.
bool carries_as(const Route& kernel, const Route& wanted) {
  return kernel.type == wanted.type && kernel.via == wanted.via && kernel.source == wanted.source &&
         (wanted.link == 0 || kernel.link == wanted.link);
}

// Whether others than agents make routes of that protocol (linux/rtnetlink.h, iproute2's
// rt_protos).
bool is_shared(uint8_t protocol) {
  constexpr uint8_t k_last_of_system = RTPROT_STATIC;
  constexpr uint8_t k_daemons[] = {
      RTPROT_GATED, RTPROT_RA,   RTPROT_MRT,  RTPROT_ZEBRA,   RTPROT_BIRD,       RTPROT_DNROUTED,
      RTPROT_XORP,  RTPROT_NTK,  RTPROT_DHCP, RTPROT_MROUTED, RTPROT_KEEPALIVED, RTPROT_BABEL,
      RTPROT_BGP,   RTPROT_ISIS, RTPROT_OSPF, RTPROT_RIP,     RTPROT_EIGRP};
  return protocol <= k_last_of_system ||
         std::ranges::find(k_daemons, protocol) != std::end(k_daemons);
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
  MARGAY_TRY(auto opened, net::Conntrack::open());
  const auto conntrack = std::make_shared<net::Conntrack>(std::move(opened));
  return create(config, [conntrack](std::span<const base::IPAddress> addresses) {
    return conntrack->forget(addresses);
  });
}

Result<std::unique_ptr<NodeRoutes>> NodeRoutes::create(const Config& config,
                                                       TrackedFlows::Forget forget_flows) {
  MARGAY_TRY(auto socket, net::NetlinkSocket::open());
  MARGAY_CHECK(socket.set_answer_timeout(config.netlink_timeout));
  return std::unique_ptr<NodeRoutes>(
      new NodeRoutes(config, std::move(socket), std::move(forget_flows)));
}

NodeRoutes::NodeRoutes(const Config& config, net::NetlinkSocket socket,
                       TrackedFlows::Forget forget_flows)
    : config_(config),
      socket_(std::move(socket)),
      interfaces_(config),
      flows_(std::move(forget_flows)),
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
  interfaces_.set_endpoint(update.workload.endpoint);
}
void NodeRoutes::on(const policy::WorkloadRemove& update) {
  interfaces_.remove_endpoint(update.key);
}

void NodeRoutes::on(const policy::TunnelUpdate& update) {
  vxlan_v4_.set_tunnel(update.tunnel);
  vxlan_v6_.set_tunnel(update.tunnel);
  moved_.insert(update.tunnel.node);
}
void NodeRoutes::on(const policy::TunnelRemove& update) {
  (update.family == IPFamily::v4 ? vxlan_v4_ : vxlan_v6_).remove_tunnel(update.node);
  moved_.insert(update.node);
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

void NodeRoutes::touch_routes_by(const std::string& interface_name) {
  for (const auto& [destination, route] : routes_)
    if (route.interface_name == interface_name) pending_.insert(destination);
}

// With a link that goes down the kernel takes its routes and neighbours away.
void NodeRoutes::on_interface_change(const std::string& name, bool up) {
  if (!interfaces_.is_of_workload(name)) {
    vxlan_v4_.touch();
    vxlan_v6_.touch();
    kernel_.reset();
    return;
  }
  interfaces_.touch(name);
  if (up || !kernel_) return;
  for (const auto& [destination, route] : routes_) {
    if (route.interface_name != name) continue;
    kernel_->routes.erase(destination);
    std::erase_if(kernel_->neighbours, [&](const auto& neighbour) {
      return neighbour.address == destination.address();
    });
  }
}

void NodeRoutes::resync() {
  kernel_.reset();
  interfaces_.touch_all();
  vxlan_v4_.touch();
  vxlan_v6_.touch();
}

Result<> NodeRoutes::load() {
  MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
  if (config_.ipv6) MARGAY_CHECK(net::write_sysctl("net/ipv6/conf/all/forwarding", "1"));
  MARGAY_TRY(const auto routes, net::list_routes(socket_, {}));
  MARGAY_TRY(const auto neighbours, net::list_neighbours(socket_));
  MARGAY_TRY(const auto tunnels, tunnel_links());
  Kernel kernel;
  for (const auto& route : routes) {
    const bool ours = is_ours(route, tunnels);
    const bool is_known = ours && kernel.routes.emplace(route.destination, route).second;
    if (!is_known && route.type == net::RouteType::unicast && route.protocol != RTPROT_KERNEL)
      kernel.others.push_back(route);
    // Another agent's before us may have led there.
    if (!adopted_ && leads_to_workload(route) && (ours || routes_.contains(route.destination)))
      flows_.adopt(route.destination.address(), route.link);
  }
  adopted_ = true;
  for (const auto& neighbour : neighbours)
    if (neighbour.permanent) kernel.neighbours.insert(neighbour);
  for (const auto& [destination, route] : kernel.routes) pending_.insert(destination);
  for (const auto& [destination, route] : routes_) pending_.insert(destination);
  kernel_ = std::move(kernel);
  return {};
}

Result<std::set<int>> NodeRoutes::tunnel_links() {
  std::set<int> indices;
  for (const auto* device : {&vxlan_v4_, &vxlan_v6_}) {
    const auto link = net::get_link(socket_, device->name());
    if (link)
      indices.insert(link->index);
    else if (link.error().code != base::ErrorCode::not_found)
      return base::fail(link.error());
  }
  return indices;
}

bool NodeRoutes::is_ours(const Route& route, const std::set<int>& tunnels) const {
  // Whatever its protocol: an agent under another deviceRouteProtocol made it.
  if (route.via && tunnels.contains(route.link)) return true;
  if (route.protocol != config_.route_protocol) return false;
  return !is_shared(config_.route_protocol) || routes_.contains(route.destination);
}

Result<> NodeRoutes::apply(const std::set<IPFamily>& families) {
  if (!kernel_) MARGAY_CHECK(load());
  Result<> result = apply_interfaces();
  keep_first(result, apply_tunnels());
  keep_first(result, remove_others());
  std::map<base::Prefix, Target> targets;
  std::set<base::Prefix> unfinished;
  failed_.clear();
  const auto note_failure = [&](const base::Prefix& destination, Result<> failed) {
    failed_[destination] = failed.error().message;
    unfinished.insert(destination);
    keep_first(result, std::move(failed));
  };
  for (const auto& destination : pending_) {
    const auto target = targets.emplace(destination, target_of(destination)).first;
    const bool is_closed = !families.contains(destination.family());
    // What could not be told changes nothing of its kind.
    const auto there = kernel_->routes.find(destination);
    const bool stays =
        target->second.unknown &&
        (there == kernel_->routes.end() ||
         leads_to_workload(there->second) == !routes_.at(destination).interface_name.empty());
    if (stays || (target->second.route && is_closed)) {
      unfinished.insert(destination);
      targets.erase(target);
      continue;
    }
    if (auto cleared = clear(destination, target->second); !cleared) {
      note_failure(destination, std::move(cleared));
      targets.erase(target);
    }
  }
  const auto flushed = flows_.flush();
  keep_first(result, flushed);
  for (const auto& [destination, target] : targets) {
    if (target.waits) {
      unfinished.insert(destination);
    } else if (destination.is_single() && flows_.waits(destination.address())) {
      note_failure(destination, flushed);
    } else if (auto written = write(destination, target); !written) {
      note_failure(destination, std::move(written));
    }
  }
  pending_ = std::move(unfinished);
  return result;
}

std::optional<WorkloadInterfaces::Obstacle> NodeRoutes::obstacle_of(
    const policy::WorkloadKey& key) const {
  if (auto obstacle = interfaces_.obstacle_of(key)) return obstacle;
  const std::string& name = interfaces_.name_of(key);
  for (const auto& [destination, reason] : failed_) {
    const auto route = routes_.find(destination);
    if (route != routes_.end() && route->second.interface_name == name)
      return WorkloadInterfaces::Obstacle{true, reason};
  }
  return std::nullopt;
}

Result<> NodeRoutes::apply_interfaces() {
  return interfaces_.apply(socket_, [this](const std::string& name) { touch_routes_by(name); });
}

Result<> NodeRoutes::apply_tunnels() {
  Result<> result;
  bool is_another_link = false;
  for (auto* device : {&vxlan_v4_, &vxlan_v6_}) {
    const auto before = device->link();
    keep_first(result, device->apply(socket_));
    is_another_link |= device->link() != before;
  }
  const auto moved = std::exchange(moved_, {});
  if (is_another_link || !moved.empty())
    for (const auto& [destination, route] : routes_)
      if (route.next_hop && (is_another_link || moved.contains(route.node)))
        pending_.insert(destination);
  return result;
}

Result<> NodeRoutes::remove_others() {
  std::set<int> workloads, tunnels;
  if (config_.remove_external_routes) workloads = interfaces_.links();
  for (const auto* device : {&vxlan_v4_, &vxlan_v6_})
    if (device->link()) tunnels.insert(*device->link());
  Result<> result;
  for (const auto& route : std::exchange(kernel_->others, {})) {
    const bool is_external = workloads.contains(route.link) && !routes_.contains(route.destination);
    if (!is_external && !tunnels.contains(route.link)) continue;
    spdlog::info("removing another program's route {} (protocol {})", route.to_string(),
                 route.protocol);
    keep_first(result, unless_missing(net::delete_route(socket_, route)));
    if (!leads_to_workload(route)) continue;
    flows_.adopt(route.destination.address(), route.link);
    flows_.give_up(route.destination.address());
  }
  return result;
}

Result<> NodeRoutes::clear(const base::Prefix& destination, const Target& target) {
  const auto there = kernel_->routes.find(destination);
  const bool fits =
      there != kernel_->routes.end() && target.route && carries_as(there->second, *target.route);
  // Not one step with the new one: the kernel keeps IPv6 routes of different types side by side.
  if (!fits) MARGAY_CHECK(remove_route(destination));
  if (!destination.is_single()) return {};
  const base::IPAddress address = destination.address();
  if (target.route && leads_to_workload(*target.route)) {
    if (!flows_.hand_to(address, target.route->link)) MARGAY_CHECK(remove_route(destination));
  } else if (!target.waits) {
    flows_.give_up(address);
  }
  return {};
}

Result<> NodeRoutes::remove_route(const base::Prefix& destination) {
  const auto there = kernel_->routes.find(destination);
  if (there == kernel_->routes.end()) return {};
  const Route route = there->second;
  MARGAY_CHECK(unless_missing(net::delete_route(socket_, route)));
  kernel_->routes.erase(there);
  if (!leads_to_workload(route)) return {};
  std::erase_if(kernel_->neighbours, [&](const auto& neighbour) {
    return neighbour.link == route.link && neighbour.address == destination.address();
  });
  return unless_missing(net::delete_neighbour(socket_, route.link, destination.address()));
}

Result<> NodeRoutes::write(const base::Prefix& destination, const Target& target) {
  if (!target.route) return {};
  if (leads_to_workload(*target.route))
    MARGAY_CHECK(set_neighbour(*target.route, routes_.at(destination).interface_name));
  const auto there = kernel_->routes.find(destination);
  if (there != kernel_->routes.end() && carries_as(there->second, *target.route)) return {};
  // In the place of our own; and of what a CNI plugin has laid to a workload. Another program's
  // route to a block or node is not ours to take away.
  const bool may_replace = there != kernel_->routes.end() || leads_to_workload(*target.route);
  auto written = may_replace ? net::replace_route(socket_, *target.route)
                             : net::add_route(socket_, *target.route);
  if (!written && written.error().code == base::ErrorCode::already_exists)
    return stand_beside(*target.route);
  MARGAY_CHECK(std::move(written));
  kernel_->routes.insert_or_assign(destination, *target.route);
  return {};
}

// A route to the destination is there that this agent has not made as it is now. What Calico's
// programs made, as this one under another deviceRouteProtocol, is replaced; another's stays. Who
// drops what is for just a block of Calico's is an agent that the block was of; for one address, an
// operator.
Result<> NodeRoutes::stand_beside(const Route& wanted) {
  MARGAY_TRY(const auto listed, net::list_routes(socket_, {.family = wanted.destination.family()}));
  const auto there = std::ranges::find_if(listed, [&](const Route& route) {
    return route.destination == wanted.destination && route.metric == wanted.metric;
  });
  if (there == listed.end())  // it has just gone
    return base::fail(base::ErrorCode::unavailable, "route " + wanted.to_string() + ": busy");
  constexpr uint8_t k_felix = 80;
  const bool is_calicos =
      there->protocol == k_felix || there->protocol == RTPROT_BIRD ||
      (there->type == net::RouteType::blackhole && !wanted.destination.is_single());
  if (carries_as(*there, wanted)) {
    if (is_calicos) kernel_->routes.insert_or_assign(wanted.destination, *there);
    return {};
  }
  if (!is_calicos) {
    spdlog::warn("no route {}: another program's is there, {} (protocol {})", wanted.to_string(),
                 there->to_string(), there->protocol);
    return {};
  }
  MARGAY_CHECK(net::replace_route(socket_, wanted));
  kernel_->routes.insert_or_assign(wanted.destination, wanted);
  return {};
}

Result<> NodeRoutes::set_neighbour(const Route& route, const std::string& interface_name) {
  const auto mac = interfaces_.mac_behind(interface_name);
  if (!mac) return {};
  const net::Neighbour wanted{
      .link = route.link, .address = route.destination.address(), .mac = *mac};
  if (kernel_->neighbours.contains(wanted)) return {};
  MARGAY_CHECK(net::replace_neighbour(socket_, wanted));
  std::erase_if(kernel_->neighbours, [&](const auto& known) {
    return known.link == wanted.link && known.address == wanted.address;
  });
  kernel_->neighbours.insert(wanted);
  return {};
}

NodeRoutes::Target NodeRoutes::target_of(const base::Prefix& destination) const {
  const auto desired = routes_.find(destination);
  if (desired == routes_.end()) return {};
  const ProgramRoute& route = desired->second;
  switch (route.kind) {
    case ProgramRoute::Kind::local_workload:
      return local_target(route);
    case ProgramRoute::Kind::local_block:
      return {.route = Route{.destination = destination,
                             .type = net::RouteType::blackhole,
                             .protocol = config_.route_protocol}};
    case ProgramRoute::Kind::remote_workload:
      return remote_target(route);
    case ProgramRoute::Kind::remote_host:  // the underlay's business
    case ProgramRoute::Kind::pool:
      break;
  }
  return {};
}

std::optional<base::IPAddress> NodeRoutes::source_of(const base::Prefix& destination) const {
  return destination.family() == IPFamily::v4 ? config_.route_source : std::nullopt;
}

NodeRoutes::Target NodeRoutes::local_target(const ProgramRoute& route) const {
  const auto* state = interfaces_.state_of(route.interface_name);
  if (!state) return {};
  if (state->link == 0) return {.waits = true, .unknown = state->unknown};
  return {.route =
              Route{.destination = route.destination,
                    .link = state->link,
                    .source = source_of(route.destination),
                    .scope = route.destination.family() == IPFamily::v4 ? net::RouteScope::link
                                                                        : net::RouteScope::universe,
                    .protocol = config_.route_protocol}};
}

NodeRoutes::Target NodeRoutes::remote_target(const ProgramRoute& route) const {
  if (!route.next_hop) return {};
  if (encapsulates(route.ipip, route.same_subnet)) {
    spdlog::warn("no route to {}: its pool asks for IPIP, which this data plane does not do",
                 route.destination.to_string());
    return {};
  }
  Route wanted{.destination = route.destination,
               .source = source_of(route.destination),
               .protocol = config_.route_protocol};
  if (encapsulates(route.vxlan, route.same_subnet)) {
    const auto& device = route.destination.family() == IPFamily::v4 ? vxlan_v4_ : vxlan_v6_;
    wanted.via = device.gateway(route.node);
    if (!device.link() || !wanted.via) return {.waits = true, .unknown = device.is_unknown()};
    wanted.link = *device.link();
    wanted.onlink = true;
    return {.route = wanted};
  }
  // Beyond our link it is for the fabric, which our default route leads to.
  if (!route.same_subnet) return {};
  wanted.via = route.next_hop;
  return {.route = wanted};
}

Result<Differences> NodeRoutes::differences() {
  resync();
  MARGAY_CHECK(interfaces_.look(socket_));
  Differences out;
  const auto add = [&](std::string item, std::string problem) {
    out.push_back({StateKind::routes, std::move(item), std::move(problem)});
  };
  for (auto* device : {&vxlan_v4_, &vxlan_v6_}) {
    MARGAY_TRY(const bool is_right, device->look(socket_));
    if (!is_right) add("device " + device->name(), "missing, or not wanted");
  }
  MARGAY_TRY(const auto routes, net::list_routes(socket_, {}));
  MARGAY_TRY(const auto tunnels, tunnel_links());
  std::multimap<base::Prefix, Route> there;
  for (const auto& route : routes) there.emplace(route.destination, route);
  for (const auto& [destination, route] : there)
    if (is_ours(route, tunnels)) {
      const auto target = target_of(destination);
      if (!target.route && !target.waits) add("route " + route.to_string(), "not wanted");
    }
  for (const auto& [destination, desired] : routes_) {
    const auto target = target_of(destination);
    if (!target.route) continue;
    const auto [first, last] = there.equal_range(destination);
    if (std::none_of(first, last,
                     [&](const auto& entry) { return carries_as(entry.second, *target.route); }))
      add("route " + target.route->to_string(),
          first == last ? "missing" : "another is there: " + first->second.to_string());
  }
  return out;
}

Result<> NodeRoutes::clean_up() {
  MARGAY_TRY(const auto listed, net::list_routes(socket_, {.protocol = config_.route_protocol}));
  MARGAY_TRY(const auto tunnels, tunnel_links());
  for (const auto& route : listed)
    if (is_ours(route, tunnels)) MARGAY_CHECK(unless_missing(net::delete_route(socket_, route)));
  for (auto* device : {&vxlan_v4_, &vxlan_v6_}) MARGAY_CHECK(device->remove(socket_));
  resync();
  return {};
}

}  // namespace margay::dataplane::linux_host
