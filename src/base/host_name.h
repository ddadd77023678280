#pragma once

#include <string>

#include "base/result.h"

namespace margay::base {

// The name of this machine in lower case: what a node is called where nobody says otherwise, to its
// agent, to the CNI plugin, and to a kubelet. `invalid` when it has none.
Result<std::string> host_name();

}  // namespace margay::base
