#include "k8s/address_claims.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace margay::k8s {
namespace {

using policy::IPAddress;
using policy::Prefix;
using EndpointChange = policy::Change<policy::WorkloadKey, policy::WorkloadEndpoint>;

const std::vector<IPAddress>& claimed_in(const policy::ModelChange& change) {
  return std::get<EndpointChange>(change).value->addresses;
}

}  // namespace

uint64_t AddressClaims::grant(const IPAddress& address, std::string_view workload) const {
  const auto bytes = address.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return hash_.add(hash_(text), workload);
}

bool AddressClaims::is_granted(const IPAddress& address, std::string_view workload) const {
  // Blocks do not overlap: the one that begins last before the address has it, or none has.
  const auto after = grants_.upper_bound(Prefix(address));
  if (after == grants_.begin()) return false;
  const auto& [cidr, by_object] = *std::prev(after);
  return cidr.contains(address) &&
         std::ranges::binary_search(by_object.begin()->second, grant(address, workload));
}

policy::ModelChange AddressClaims::without_claims(policy::ModelChange change) const {
  auto& endpoint = *std::get<EndpointChange>(change).value;
  const auto is_only_claimed = [&](const IPAddress& address) {
    return !is_granted(address, endpoint.key.workload);
  };
  std::erase_if(endpoint.addresses, is_only_claimed);
  std::erase_if(endpoint.floating_ips,
                [&](const policy::FloatingIP& ip) { return is_only_claimed(ip.internal); });
  return change;
}

void AddressClaims::remove_pod(const store::Key& object) {
  const auto waiting = waiting_.find(object);
  if (waiting == waiting_.end()) return;
  for (const IPAddress& address : claimed_in(waiting->second)) by_address_.erase({address, object});
  waiting_.erase(waiting);
}

void AddressClaims::set(const store::Key& object, Reading& reading) {
  remove_pod(object);
  if (!reading.change) return;
  if (reading.addresses_only_claimed) {
    if (claimed_in(*reading.change).empty()) return;
    for (const IPAddress& address : claimed_in(*reading.change))
      by_address_.emplace(address, object);
    waiting_.emplace(object, *reading.change);
    reading.change = without_claims(*std::move(reading.change));
  } else if (const auto* block =
                 std::get_if<policy::Change<Prefix, policy::Block>>(&*reading.change)) {
    std::vector<uint64_t> grants;
    grants.reserve(reading.grants.size());
    for (const auto& [address, workload] : reading.grants)
      grants.push_back(grant(address, workload));
    std::ranges::sort(grants);
    grants_[block->key].insert_or_assign(object, std::move(grants));
    changed_.push_back(block->key);
  }
}

void AddressClaims::remove_block(const store::Key& object, const Prefix& cidr) {
  const auto known = grants_.find(cidr);
  if (known == grants_.end() || known->second.erase(object) == 0) return;
  if (known->second.empty()) grants_.erase(known);
  changed_.push_back(cidr);
}

std::vector<std::pair<store::Key, policy::ModelChange>> AddressClaims::take_reviewed() {
  std::set<store::Key> decided;
  for (const Prefix& cidr : std::exchange(changed_, {}))
    for (auto claim = by_address_.lower_bound({cidr.address(), {}});
         claim != by_address_.end() && cidr.contains(claim->first); ++claim)
      decided.insert(claim->second);
  std::vector<std::pair<store::Key, policy::ModelChange>> reviewed;
  for (const store::Key& object : decided)
    reviewed.emplace_back(object, without_claims(waiting_.at(object)));
  return reviewed;
}

}  // namespace margay::k8s
