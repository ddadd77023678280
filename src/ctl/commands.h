#pragma once

// calicoctl: `margay ctl`, and the program when it is called `calicoctl`, or `kubectl-calico` as a
// plugin of kubectl (docs/guide/calicoctl.md).

#include <string>
#include <vector>

#include "ctl/connection.h"

namespace CLI {
class App;
}

namespace margay::ctl {

// Adds `ctl` with all its commands to `app`. When it is what was asked for, parsing runs it and
// sets `status` to the exit status: 0, or 1 after a message on standard error.
void add_command(CLI::App& app, const OpenLocal& open_local, int& status);

// The whole program under the name by which it was called ("calicoctl", "margay ctl"): the exit
// status. What is no command or option of it is told as calicoctl tells it.
int run(const std::string& program, const std::vector<std::string>& arguments,
        const OpenLocal& open_local);

}  // namespace margay::ctl
