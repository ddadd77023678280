#pragma once

namespace CLI {
class App;
}

namespace margay::node {

// Adds `margay node`, the agent of a node. Its exit status goes to `status`.
void add_command(CLI::App& app, int& status);

}  // namespace margay::node
