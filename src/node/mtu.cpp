#include "node/mtu.h"

#include <re2/re2.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "api/calico.h"
#include "api/codec.h"

namespace margay::node {
namespace {

using base::IPFamily;
using base::Result;
using dataplane::Interface;

// The least that IPv4 asks of a link (RFC 791).
constexpr uint32_t k_least = 68;

uint32_t less(uint32_t mtu, uint32_t overhead) {
  return mtu > overhead + k_least ? mtu - overhead : k_least;
}

Result<Encapsulations> encapsulations_of(const store::Entry& entry) {
  MARGAY_TRY(const auto value, api::parse_json(entry.value));
  MARGAY_TRY(const auto pool, api::decode<api::IPPool>(value));
  MARGAY_TRY(const auto cidr, base::Prefix::parse(pool.spec.cidr));
  const auto asks = [](const std::string& mode) {
    return mode == "Always" || mode == "CrossSubnet";
  };
  const bool vxlan = asks(pool.spec.vxlan_mode);
  return Encapsulations{.vxlan_v4 = vxlan && cidr.family() == IPFamily::v4,
                        .vxlan_v6 = vxlan && cidr.family() == IPFamily::v6,
                        .ipip = asks(pool.spec.ipip_mode)};
}

}  // namespace

// Compiled once; an empty one matches nothing.
class UplinkMtu::Pattern {
 public:
  explicit Pattern(const std::string& text) : none_(text.empty()), pattern_(text, RE2::Quiet) {}
  bool matches(const std::string& name) const {
    return !none_ && RE2::PartialMatch(name, pattern_);
  }

 private:
  const bool none_;
  const RE2 pattern_;
};

UplinkMtu::UplinkMtu(const std::string& pattern, std::vector<base::IPAddress> node_addresses,
                     std::function<void()> on_change)
    : pattern_(std::make_unique<const Pattern>(pattern)),
      node_addresses_(std::move(node_addresses)),
      on_change_(std::move(on_change)) {}
UplinkMtu::~UplinkMtu() = default;

bool UplinkMtu::is_uplink(const Interface& interface) const {
  if (!interface.up || interface.mtu == 0) return false;
  const bool has_node_address = std::ranges::any_of(interface.addresses, [&](const auto& own) {
    return std::ranges::count(node_addresses_, own.address) > 0;
  });
  return has_node_address || pattern_->matches(interface.name);
}

uint32_t UplinkMtu::value() const {
  const std::scoped_lock lock(mutex_);
  uint32_t smallest = 0;
  for (const auto& [name, mtu] : uplinks_)
    if (smallest == 0 || mtu < smallest) smallest = mtu;
  return smallest == 0 ? last_ : smallest;
}

void UplinkMtu::change(const std::function<void()>& edit) {
  const uint32_t before = value();
  {
    const std::scoped_lock lock(mutex_);
    last_ = before;
    edit();
  }
  if (on_change_ && value() != before) on_change_();
}

void UplinkMtu::on_interfaces(const std::vector<Interface>& all) {
  change([&] {
    const auto before = std::exchange(uplinks_, {});
    for (const auto& interface : all)
      if (is_uplink(interface) || (!interface.up && before.contains(interface.name)))
        uplinks_[interface.name] = interface.mtu;
  });
}

void UplinkMtu::on_interface(const Interface& interface) {
  change([&] {
    if (is_uplink(interface))
      uplinks_[interface.name] = interface.mtu;
    else if (interface.up)
      uplinks_.erase(interface.name);
  });
}

void UplinkMtu::on_interface_removed(const std::string& name) {
  change([&] { uplinks_.erase(name); });
}

uint32_t vxlan_mtu(uint32_t uplink, const Parameters& parameters) {
  return parameters.vxlan_mtu != 0 ? parameters.vxlan_mtu : less(uplink, k_vxlan_v4_overhead);
}

Result<Encapsulations> encapsulations_in_use(store::Store& store) {
  MARGAY_TRY(const store::List list, store.list({.resource = "ippools.projectcalico.org"}));
  Encapsulations used;
  for (const auto& entry : list.entries) {
    const auto of_pool = encapsulations_of(entry);
    if (!of_pool)
      spdlog::warn("IPPool {}: {}; counted as one that asks for every encapsulation",
                   entry.key.name, of_pool.error().message);
    const auto asked = of_pool.value_or(Encapsulations{true, true, true});
    used.vxlan_v4 |= asked.vxlan_v4;
    used.vxlan_v6 |= asked.vxlan_v6;
    used.ipip |= asked.ipip;
  }
  return used;
}

uint32_t workload_mtu(uint32_t uplink, const Parameters& parameters, const Encapsulations& used) {
  uint32_t mtu = uplink;
  const uint32_t vxlan = vxlan_mtu(uplink, parameters);
  if (used.vxlan_v4 || parameters.vxlan_enabled) mtu = std::min(mtu, vxlan);
  if (used.vxlan_v6) mtu = std::min(mtu, less(vxlan, k_vxlan_v6_overhead - k_vxlan_v4_overhead));
  if (used.ipip) mtu = std::min(mtu, less(uplink, k_ipip_overhead));
  return mtu;
}

}  // namespace margay::node
