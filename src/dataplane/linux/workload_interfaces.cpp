#include "dataplane/linux/workload_interfaces.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/interface_name.h"
#include "net/link.h"
#include "net/sysctl.h"

namespace margay::dataplane::linux_host {

using base::Result;

bool WorkloadInterfaces::is_of_workload(std::string_view name) const {
  return base::is_interface_name(name) &&
         std::ranges::any_of(config_.interface_prefixes,
                             [&](const auto& prefix) { return name.starts_with(prefix); });
}

void WorkloadInterfaces::set_endpoint(const policy::WorkloadEndpoint& endpoint) {
  remove_endpoint(endpoint.key);
  const std::string& name = endpoint.interface_name;
  if (name.empty()) return;
  if (!is_of_workload(name))
    spdlog::error(
        "endpoint {}: interface \"{}\" is no workload's (interfacePrefix), so no policy would hold "
        "for it: it gets no routes",
        endpoint.key.id(), name);
  Entry entry{.owner = endpoint.key, .admin_up = endpoint.admin_up};
  if (auto mac = net::MacAddress::parse(endpoint.mac)) entry.mac = *mac;
  entries_.insert_or_assign(name, std::move(entry));
  interface_of_[endpoint.key] = name;
  touched_.insert(name);
}

void WorkloadInterfaces::remove_endpoint(const policy::WorkloadKey& key) {
  const auto named = interface_of_.find(key);
  if (named == interface_of_.end()) return;
  const auto entry = entries_.find(named->second);
  if (entry != entries_.end() && entry->second.owner == key) {
    touched_.insert(entry->first);
    entries_.erase(entry);
  }
  interface_of_.erase(named);
}

void WorkloadInterfaces::touch(const std::string& name) {
  if (entries_.contains(name)) touched_.insert(name);
}

void WorkloadInterfaces::touch_all() {
  for (const auto& [name, entry] : entries_) touched_.insert(name);
}

const WorkloadInterfaces::State* WorkloadInterfaces::state_of(const std::string& name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || !is_of_workload(name)) return nullptr;
  return entry->second.admin_up ? &entry->second.state : nullptr;
}

std::set<int> WorkloadInterfaces::links() const {
  std::set<int> links;
  for (const auto& [name, entry] : entries_)
    if (const auto* state = state_of(name); state != nullptr && state->link != 0)
      links.insert(state->link);
  return links;
}

std::optional<WorkloadInterfaces::Obstacle> WorkloadInterfaces::obstacle_of(
    const policy::WorkloadKey& key) const {
  const auto named = interface_of_.find(key);
  if (named == interface_of_.end()) return Obstacle{.reason = "it has no interface"};
  const std::string& name = named->second;
  if (!is_of_workload(name))
    return Obstacle{true, "interface \"" + name + "\" is no workload's (interfacePrefix)"};
  const Entry& entry = entries_.at(name);
  const State& state = entry.state;
  if (entry.owner != key) return Obstacle{true, "interface " + name + " is another endpoint's"};
  if (!entry.admin_up) return Obstacle{.reason = "administratively down"};
  if (!state.set_up) return Obstacle{true, state.set_up.error().message};
  if (state.link == 0) return Obstacle{.reason = "waiting for its interface: " + state.waits_for};
  return std::nullopt;
}

std::optional<net::MacAddress> WorkloadInterfaces::mac_behind(const std::string& name) const {
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? std::nullopt : entry->second.mac;
}

Result<> WorkloadInterfaces::apply(net::NetlinkSocket& socket,
                                   const std::function<void(const std::string&)>& changed) {
  Result<> result;
  std::set<std::string> failed;
  for (const auto& name : touched_) {
    const auto entry = entries_.find(name);
    if (entry != entries_.end()) {
      auto& state = entry->second.state;
      state.set_up = look_at(socket, name, state, Setting::up);
      if (!state.set_up) failed.insert(name);
      if (!state.set_up && result) result = state.set_up;
    }
    changed(name);
  }
  touched_ = std::move(failed);
  return result;
}

Result<> WorkloadInterfaces::look(net::NetlinkSocket& socket) {
  for (auto& [name, entry] : entries_)
    MARGAY_CHECK(look_at(socket, name, entry.state, Setting::none));
  touch_all();
  return {};
}

Result<> WorkloadInterfaces::look_at(net::NetlinkSocket& socket, const std::string& name,
                                     State& state, Setting setting) const {
  const bool is_usable = state_of(name) != nullptr;
  const auto link = is_usable ? net::get_link(socket, name)
                              : base::fail(base::ErrorCode::not_found, "not looked for");
  // What cannot be told changes nothing: a route that carries packets stays.
  state.unknown = !link && link.error().code != base::ErrorCode::not_found;
  if (state.unknown) return base::fail(link.error());
  const int before = std::exchange(state.link, 0);
  state.waits_for.clear();
  if (!is_usable) return {};
  if (!link) {
    state.waits_for = "interface " + name + " is not there";
  } else if (!link->up) {
    state.waits_for = "interface " + name + " is down";
  } else {
    if (link->index == before) state.link = before;
    if (setting == Setting::up) MARGAY_CHECK(set_parameters(name));
    state.link = link->index;
  }
  return {};
}

Result<> WorkloadInterfaces::set_parameters(const std::string& name) const {
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
  return {};
}

}  // namespace margay::dataplane::linux_host
