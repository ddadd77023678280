#pragma once

// The process that builds a lab and keeps it going: wires, API server, and for each node an agent
// and a pod runner, each started again when it ends. Runs in the background, in a session of its
// own, until `lab down` or a signal ends it.

#include <string>

#include "base/result.h"
#include "lab/layout.h"

namespace margay::lab {

// Returns when told to stop (SIGTERM, SIGINT), having ended what it started. An Error says why the
// lab could not be built. `binary` is this program's own file.
base::Result<> supervise(const Layout& layout, const std::string& binary);

// Whether a supervisor lives for this directory, from any process.
bool is_supervised(const Layout& layout);

}  // namespace margay::lab
