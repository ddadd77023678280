#pragma once

// `margay ctl explain` and `simulate`: questions about policy (docs/guide/explain.md). Parsing runs
// what was asked for and sets `status` to the exit status: 0, or 1 after a message on standard
// error.

namespace CLI {
class App;
}

namespace margay::ctl {

void add_explain_command(CLI::App& parent, int& status);
void add_simulate_command(CLI::App& parent, int& status);

}  // namespace margay::ctl
