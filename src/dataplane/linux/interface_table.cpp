#include "dataplane/linux/interface_table.h"

#include <algorithm>

namespace margay::dataplane::linux_host {
namespace {

Interface value_of(const net::Link& link, std::vector<InterfaceAddress> addresses) {
  return {.name = link.name,
          .index = link.index,
          .up = link.up,
          .mtu = link.mtu,
          .addresses = std::move(addresses)};
}

InterfaceAddress value_of(const net::InterfaceAddress& address) {
  return {address.address, address.prefix_length};
}

}  // namespace

void InterfaceTable::reset(std::span<const net::Link> links,
                           std::span<const net::InterfaceAddress> addresses) {
  by_index_.clear();
  for (const auto& link : links) by_index_[link.index] = value_of(link, {});
  for (const auto& address : addresses) {
    const auto known = by_index_.find(address.link);
    if (known != by_index_.end()) known->second.addresses.push_back(value_of(address));
  }
}

std::vector<Interface> InterfaceTable::interfaces() const {
  std::vector<Interface> all;
  all.reserve(by_index_.size());
  for (const auto& [index, interface] : by_index_) all.push_back(interface);
  return all;
}

void InterfaceTable::on_event(const net::MonitorEvent& event, InterfaceSource::Listener& listener) {
  std::visit([&](const auto& told) { on(told, listener); }, event);
}

void InterfaceTable::on(const net::LinkEvent& event, InterfaceSource::Listener& listener) {
  const auto known = by_index_.find(event.link.index);
  if (event.removed) {
    if (known == by_index_.end()) return;
    const std::string name = known->second.name;
    by_index_.erase(known);
    return listener.on_interface_removed(name);
  }
  if (known == by_index_.end()) {
    by_index_[event.link.index] = value_of(event.link, {});
    return listener.on_interface(by_index_[event.link.index]);
  }
  const Interface now = value_of(event.link, known->second.addresses);
  if (known->second == now) return;
  if (known->second.name != now.name) listener.on_interface_removed(known->second.name);
  known->second = now;
  listener.on_interface(now);
}

// The kernel tells of a link before it tells of the link's addresses; what it says of the addresses
// of a link that is gone is no news.
void InterfaceTable::on(const net::AddressEvent& event, InterfaceSource::Listener& listener) {
  const auto known = by_index_.find(event.address.link);
  if (known == by_index_.end()) return;
  auto& addresses = known->second.addresses;
  const auto found = std::ranges::find(addresses, value_of(event.address));
  if (event.removed == (found == addresses.end())) return;
  if (event.removed)
    addresses.erase(found);
  else
    addresses.push_back(value_of(event.address));
  listener.on_interface(known->second);
}

}  // namespace margay::dataplane::linux_host
