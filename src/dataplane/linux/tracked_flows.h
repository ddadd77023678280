#pragma once

// Whose tracked flows the kernel holds for each workload address, and which of them are to be
// forgotten: a workload must not inherit what the one before it with the same address was allowed.
//
// An address that is given up, or that another interface takes, waits here until conntrack has
// forgotten its flows, however often that fails; it gets no route before. It does not matter how
// the route went: the kernel takes routes away with a link, before or after we hear why. A link
// that only went down and came up again keeps its flows. One thread.

#include <functional>
#include <map>
#include <set>
#include <span>

#include "base/address.h"
#include "base/result.h"

namespace margay::dataplane::linux_host {

class TrackedFlows {
 public:
  // Makes the kernel forget every flow that one of the addresses takes part in.
  using Forget = std::function<base::Result<>(std::span<const base::IPAddress>)>;

  explicit TrackedFlows(Forget forget) : forget_(std::move(forget)) {}

  // The flows of the address are those of the workload behind the link with this index: found so
  // when we began.
  void adopt(const base::IPAddress& address, int link) { links_.try_emplace(address, link); }
  // The link is to carry the address. True: it may at once, nobody else's flows are there. False:
  // first flush().
  bool hand_to(const base::IPAddress& address, int link);
  // The address is nobody's now.
  void give_up(const base::IPAddress& address);

  base::Result<> flush();
  bool waits(const base::IPAddress& address) const { return waiting_.contains(address); }

 private:
  Forget forget_;
  std::map<base::IPAddress, int> links_;  // the link that carries, or was the last to
  std::set<base::IPAddress> waiting_;
};

}  // namespace margay::dataplane::linux_host
