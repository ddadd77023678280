#pragma once

namespace CLI {
class App;
}

namespace margay::node {

// Adds `margay check dataplane` to `app`. Parsing a command line with it runs it, and sets `status`
// to the exit status: 0 when the kernel has what the datastore asks of this node, 1 when something
// differs, 2 when that cannot be told.
void add_check_command(CLI::App& app, int& status);

}  // namespace margay::node
