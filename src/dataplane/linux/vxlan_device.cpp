#include "dataplane/linux/vxlan_device.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "base/result_steps.h"
#include "net/interface_address.h"
#include "net/neighbour.h"

namespace margay::dataplane::linux_host {

using base::keep_first;
using base::Result;
using base::unless_missing;
using net::MacAddress;
using net::NetlinkSocket;
using policy::IPAddress;
using policy::IPFamily;

namespace {

Result<MacAddress> usable_mac(const std::string& text) {
  MARGAY_TRY(const MacAddress mac, MacAddress::parse(text));
  if (mac.is_unicast()) return mac;
  return base::fail(base::ErrorCode::invalid,
                    fmt::format("\"{}\" is the MAC address of no interface", text));
}

}  // namespace

VxlanDevice::VxlanDevice(const Config& config, IPFamily family)
    : config_(config),
      family_(family),
      name_(family == IPFamily::v4 ? "vxlan.calico" : "vxlan-v6.calico") {}

void VxlanDevice::set_pool(const policy::IPPool& pool) {
  if (pool.cidr.family() != family_ || pool.vxlan == policy::Encapsulation::never)
    return remove_pool(pool.name);
  pools_[pool.name] = pool;
  touch();
}

void VxlanDevice::remove_pool(const std::string& name) {
  if (pools_.erase(name) > 0) touch();
}

void VxlanDevice::set_host(const policy::Host& host) {
  if (host.name != config_.node) return;
  const bool v4 = family_ == IPFamily::v4;
  outer_ = v4 ? host.v4 : host.v6;
  inner_ = v4 ? host.vxlan_v4 : host.vxlan_v6;
  const std::string& mac = v4 ? host.vxlan_mac : host.vxlan_mac_v6;
  mac_.reset();
  if (const auto parsed = usable_mac(mac)) {
    mac_ = *parsed;
  } else if (!mac.empty()) {
    spdlog::error("{}: this node's {}; the device keeps the one it has", name_,
                  parsed.error().message);
  }
  touch();
}

void VxlanDevice::set_tunnel(const policy::ProgramTunnel& tunnel) {
  if (tunnel.tunnel_address.family() != family_) return;
  const auto mac = usable_mac(tunnel.tunnel_mac);
  if (!mac) {  // one node's mistake; the others' tunnels go on
    spdlog::error("{}: no tunnel to node {}: {}", name_, tunnel.node, mac.error().message);
    return remove_tunnel(tunnel.node);
  }
  tunnels_[tunnel.node] = {tunnel.node_address, tunnel.tunnel_address, *mac};
  touch();
}

void VxlanDevice::remove_tunnel(const std::string& node) {
  if (tunnels_.erase(node) > 0) touch();
}

std::optional<IPAddress> VxlanDevice::gateway(const std::string& node) const {
  const auto found = tunnels_.find(node);
  if (found == tunnels_.end()) return std::nullopt;
  return found->second.address;
}

// An outer IPv6 header is 20 bytes longer, and the kernel refuses what the uplink could not carry.
uint32_t VxlanDevice::mtu() const {
  return static_cast<uint32_t>(config_.vxlan_mtu) - (family_ == policy::IPFamily::v4 ? 0 : 20);
}

bool VxlanDevice::wanted() const { return !pools_.empty() && outer_ && inner_; }

Result<> VxlanDevice::apply(NetlinkSocket& socket) {
  if (!changed_) return {};
  if (!wanted()) {
    unknown_ = false;
    MARGAY_CHECK(remove(socket));
    changed_ = false;
    return {};
  }
  auto made = make(socket);
  unknown_ = !made;
  MARGAY_CHECK(std::move(made));
  Result<> result = set_forwarding(socket, *link_);
  keep_first(result, set_neighbours(socket, *link_));
  changed_ = !result;
  return result;
}

Result<> VxlanDevice::make(NetlinkSocket& socket) {
  MARGAY_TRY(const net::Link device, make_device(socket));
  MARGAY_CHECK(set_address(socket, device.index));
  link_ = device.index;
  return {};
}

Result<bool> VxlanDevice::look(NetlinkSocket& socket) {
  const auto there = net::get_link(socket, name_);
  if (!there && there.error().code != base::ErrorCode::not_found) return base::fail(there.error());
  link_.reset();
  if (there && wanted()) link_ = there->index;
  touch();
  return there.has_value() == wanted();
}

Result<> VxlanDevice::remove(NetlinkSocket& socket) {
  link_.reset();
  return unless_missing(net::delete_link(socket, name_));
}

Result<net::VxlanOptions> VxlanDevice::options(NetlinkSocket& socket) const {
  net::VxlanOptions options{.vni = config_.vxlan_vni, .port = config_.vxlan_port, .local = outer_};
  MARGAY_TRY(const auto addresses, net::list_addresses(socket));
  for (const auto& address : addresses)
    if (address.address == outer_) options.parent = address.link;
  return options;
}

Result<net::Link> VxlanDevice::make_device(NetlinkSocket& socket) {
  MARGAY_TRY(const auto wanted_options, options(socket));
  auto there = net::get_link(socket, name_);
  if (!there && there.error().code != base::ErrorCode::not_found) return base::fail(there.error());
  if (there && there->vxlan != wanted_options) {
    spdlog::info("{}: made again, its settings have changed", name_);
    MARGAY_CHECK(remove(socket));
    there = base::fail(base::ErrorCode::not_found, "");
  }
  if (!there) {
    MARGAY_CHECK(net::create_vxlan(socket, name_, wanted_options, mac_));
    there = net::get_link(socket, name_);
  }
  if (!there) return there;
  // The kernel tells everyone of a link that was written to, also when nothing of it changed.
  net::LinkChange change;
  if (!there->up) change.up = true;
  if (there->mtu != mtu()) change.mtu = mtu();
  if (mac_ && there->mac != mac_) change.mac = mac_;
  if (change != net::LinkChange{}) MARGAY_CHECK(net::change_link(socket, name_, change));
  return there;
}

Result<> VxlanDevice::set_address(NetlinkSocket& socket, int link) const {
  const net::InterfaceAddress own{.link = link,
                                  .address = *inner_,
                                  .prefix_length = inner_->bits(),
                                  .no_duplicate_detection = true};
  MARGAY_TRY(const auto addresses, net::list_addresses(socket, link));
  bool there = false;
  for (const auto& address : addresses) {
    if (address.address.family() != family_ || address.link_scope) continue;
    if (address.address == own.address && address.prefix_length == own.prefix_length) {
      there = true;
    } else {
      MARGAY_CHECK(unless_missing(net::delete_address(socket, address)));
    }
  }
  if (there) return {};
  return net::add_address(socket, own);
}

Result<> VxlanDevice::set_neighbours(NetlinkSocket& socket, int link) const {
  std::map<IPAddress, net::Neighbour> by_address;  // of two that announce one, the first has it
  for (const auto& [node, tunnel] : tunnels_)
    by_address.try_emplace(
        tunnel.address, net::Neighbour{.link = link, .address = tunnel.address, .mac = tunnel.mac});
  std::set<net::Neighbour> want;
  for (const auto& [address, neighbour] : by_address) want.insert(neighbour);
  MARGAY_TRY(const auto listed, net::list_neighbours(socket, link));
  const std::set<net::Neighbour> there(listed.begin(), listed.end());
  Result<> result;
  for (const auto& neighbour : there)
    if (neighbour.permanent && neighbour.address.family() == family_ && !want.contains(neighbour))
      keep_first(result, unless_missing(net::delete_neighbour(socket, link, neighbour.address)));
  for (const auto& neighbour : want)
    if (!there.contains(neighbour)) keep_first(result, net::replace_neighbour(socket, neighbour));
  return result;
}

Result<> VxlanDevice::set_forwarding(NetlinkSocket& socket, int link) const {
  std::map<MacAddress, net::ForwardingEntry> by_mac;  // of two that announce one, the first has it
  for (const auto& [node, tunnel] : tunnels_)
    by_mac.try_emplace(
        tunnel.mac,
        net::ForwardingEntry{.link = link, .mac = tunnel.mac, .remote = tunnel.node_address});
  std::set<net::ForwardingEntry> want;
  for (const auto& [mac, entry] : by_mac) want.insert(entry);
  MARGAY_TRY(const auto listed, net::list_forwarding_entries(socket, link));
  const std::set<net::ForwardingEntry> there(listed.begin(), listed.end());
  Result<> result;
  for (const auto& entry : there)
    if (!want.contains(entry))
      keep_first(result, unless_missing(net::delete_forwarding_entry(socket, entry)));
  for (const auto& entry : want)
    if (!there.contains(entry)) keep_first(result, net::replace_forwarding_entry(socket, entry));
  return result;
}

}  // namespace margay::dataplane::linux_host
