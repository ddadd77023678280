#pragma once

// `margay vector run`: the engine from a configuration file, until SIGINT or SIGTERM. SIGHUP reads
// the file again.

#include <string>
#include <vector>

#include "base/result.h"
#include "vector/control/control_socket.h"

namespace margay::vector {

struct RunOptions {
  std::string configuration;
  std::string socket = k_default_socket;
  unsigned workers = 1;
  std::vector<unsigned> cores;  // of the workers; empty: the last ones
  unsigned memory_mib = 512;    // EalOptions
  unsigned buffers = 32767;
};

// The exit status.
base::Result<int> run_engine(const RunOptions& options);

// The CPUs that this process may run on.
std::vector<unsigned> allowed_cores();

}  // namespace margay::vector
