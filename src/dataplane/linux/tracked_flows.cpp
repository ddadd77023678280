#include "dataplane/linux/tracked_flows.h"

#include <vector>

namespace margay::dataplane::linux_host {

bool TrackedFlows::hand_to(const base::IPAddress& address, int link) {
  const auto [carrier, is_new] = links_.try_emplace(address, link);
  // Of an address that comes into use now we do not know who had it while we were not there.
  if (is_new || carrier->second != link) waiting_.insert(address);
  carrier->second = link;
  return !waiting_.contains(address);
}

void TrackedFlows::give_up(const base::IPAddress& address) {
  if (links_.erase(address) > 0) waiting_.insert(address);
}

base::Result<> TrackedFlows::flush() {
  if (waiting_.empty()) return {};
  const std::vector<base::IPAddress> addresses(waiting_.begin(), waiting_.end());
  if (auto done = forget_(addresses); !done)
    return base::fail(std::move(done).error().wrap("flows of workloads that are gone"));
  waiting_.clear();
  return {};
}

}  // namespace margay::dataplane::linux_host
