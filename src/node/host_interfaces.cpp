#include "node/host_interfaces.h"

namespace margay::node {

using dataplane::Interface;

std::vector<Interface> HostInterfaces::all() const {
  std::vector<Interface> interfaces;
  interfaces.reserve(interfaces_.size());
  for (const auto& [name, interface] : interfaces_) interfaces.push_back(interface);
  return interfaces;
}

base::Result<std::vector<Interface>> HostInterfaces::list(std::chrono::milliseconds within) {
  std::unique_lock lock(mutex_);
  if (!told_.wait_for(lock, within, [this] { return known_; }))
    return base::fail(base::ErrorCode::timeout, "the host's interfaces cannot be listed");
  return all();
}

void HostInterfaces::add_listener(dataplane::InterfaceSource::Listener& listener) {
  const std::scoped_lock lock(mutex_);
  listeners_.push_back(&listener);
  if (known_) listener.on_interfaces(all());
}

void HostInterfaces::on_interfaces(const std::vector<Interface>& all) {
  const std::scoped_lock lock(mutex_);
  interfaces_.clear();
  for (const auto& interface : all) interfaces_[interface.name] = interface;
  known_ = true;
  told_.notify_all();
  for (auto* listener : listeners_) listener->on_interfaces(all);
}

void HostInterfaces::on_interface(const Interface& interface) {
  const std::scoped_lock lock(mutex_);
  interfaces_[interface.name] = interface;
  for (auto* listener : listeners_) listener->on_interface(interface);
}

void HostInterfaces::on_interface_removed(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  interfaces_.erase(name);
  for (auto* listener : listeners_) listener->on_interface_removed(name);
}

}  // namespace margay::node
