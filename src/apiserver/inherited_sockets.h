#pragma once

// Listening sockets from whoever started this program (sd_listen_fds(3)): systemd's socket
// activation, or a lab that made one in another network namespace.

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::apiserver {

// None when none were handed over to this very process. `invalid` when what was is no listening
// TCP socket. Takes the descriptors; call once, before other files are opened.
base::Result<std::vector<base::UniqueFd>> inherited_sockets();

}  // namespace margay::apiserver
