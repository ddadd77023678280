#pragma once

// The lock of iptables' legacy programs (flock(2) on a file). Those of version 1.6.2 and later take
// it themselves when they restore, and are told how here; around older ones the agent takes it.

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "dataplane/linux/config.h"

namespace margay::dataplane::iptables {

using linux_host::IptablesLock;

// What tells iptables-restore to wait for it; nothing where it is not its to take, or not to wait.
std::vector<std::string> wait_arguments(const IptablesLock& lock);

// This process's environment, and in it the file for the program to lock: another one than the
// agent's own where the agent holds that.
std::vector<std::string> with_lock_file(const IptablesLock& lock);

// Held until the descriptor is closed. Where it is not the agent's to take, and without a timeout,
// nothing is held. `timeout`: another program has it all the while.
base::Result<base::UniqueFd> take_if_ours(const IptablesLock& lock);

}  // namespace margay::dataplane::iptables
