#pragma once

// Finds, among chains that the kernel will not take together, those with a rule that it refuses.
//
// A restore that fails does not say reliably which rule was to blame (the legacy backend only names
// the COMMIT). So halves are tried, in a chain of their own that no packet passes: what filters
// packets is not touched while we search. It takes about twice the logarithm of the number of
// chains for each that is refused, up to a limit, beyond which what fails together counts as
// refused together.

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/iptables/commands.h"
#include "dataplane/linux/family_tables.h"

namespace margay::dataplane::iptables {

struct SuspectChain {
  std::string name;
  std::vector<std::string> rules;  // as after "-A <chain> "
};

// The scratch chain, left empty; the table sweeps it with what else it does not want.
inline constexpr const char* k_trial_chain = "cali-trial";

// An error: the kernel takes no change at all now, which says nothing about the rules.
base::Result<std::vector<linux_host::RefusedChain>> find_refused(
    Commands& commands, policy::IPFamily family, const std::string& table,
    std::span<const SuspectChain> suspects);

}  // namespace margay::dataplane::iptables
