#pragma once

// `margay ctl`: questions about policy (docs/guide/explain.md).

namespace CLI {
class App;
}

namespace margay::ctl {

// Adds `ctl` to `app`. When it is what was asked for, parsing runs it and sets `status` to the exit
// status: 0, or 1 after a message on standard error.
void add_command(CLI::App& app, int& status);

}  // namespace margay::ctl
