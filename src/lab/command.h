#pragma once

// `margay lab`: a cluster of nodes and pods on one machine, from network namespaces
// (docs/guide/lab.md).

namespace CLI {
class App;
}

namespace margay::lab {

// Adds `lab` to `app`. When it is what was asked for, parsing runs it and sets `status` to the exit
// status: 0, or 1 after a message on standard error.
void add_command(CLI::App& app, int& status);

}  // namespace margay::lab
