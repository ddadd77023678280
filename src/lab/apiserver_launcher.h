#pragma once

// Starts the API server where both sides reach it. It runs in the host's namespace, for kubectl, on
// 127.0.0.1; nodes, which see nothing of the host, reach it by a second listening socket made
// inside the underlay's namespace (a socket belongs to the namespace it was made in, whoever uses
// it). Both are handed over as systemd does (sd_listen_fds(3)): descriptors from 3 on, their number
// in LISTEN_FDS, the receiver's pid in LISTEN_PID.

#include <string>

#include "base/result.h"
#include "lab/layout.h"

namespace margay::lab {

// A free port on 127.0.0.1 of the calling thread's namespace.
base::Result<uint16_t> free_local_port();

// Becomes the API server; returns only with an Error.
base::Error exec_apiserver(const Layout& layout, const Settings& settings,
                           const std::string& binary);

}  // namespace margay::lab
