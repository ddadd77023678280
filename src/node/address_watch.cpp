#include "node/address_watch.h"

#include <utility>

namespace margay::node {
namespace {

// Their lengths say less: one that is given without a length takes that of the interface it is on.
bool is_same(const std::optional<HostAddress>& one, const std::optional<HostAddress>& other) {
  return one.has_value() == other.has_value() && (!one || one->address == other->address);
}

}  // namespace

AddressWatch::AddressWatch(base::EventLoop& loop, Options options, Detect detect,
                           NodeAddresses announced, std::function<void()> on_change)
    : loop_(loop),
      options_(std::move(options)),
      detect_(std::move(detect)),
      announced_(std::move(announced)),
      on_change_(std::move(on_change)),
      timer_(loop.context()) {}

void AddressWatch::on_interfaces(const std::vector<dataplane::Interface>&) {
  loop_.post([this] { look_soon(); });
}

void AddressWatch::on_interface(const dataplane::Interface& interface) {
  if (!options_.workload_interfaces.contains(interface.name)) loop_.post([this] { look_soon(); });
}

void AddressWatch::on_interface_removed(const std::string& name) {
  if (!options_.workload_interfaces.contains(name)) loop_.post([this] { look_soon(); });
}

void AddressWatch::look_soon() {
  if (std::exchange(waits_, true)) return;
  timer_.expires_after(options_.settle);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    waits_ = false;
    const auto now = detect_();
    if (now && !(is_same(now->v4, announced_.v4) && is_same(now->v6, announced_.v6))) on_change_();
  });
}

}  // namespace margay::node
