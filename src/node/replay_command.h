#pragma once

namespace CLI {
class App;
}

namespace margay::node {

// Adds `margay replay` to `app`. Parsing a command line with it runs it, and sets `status` to the
// exit status: 0 when the whole recording was played and every apply() succeeded.
void add_replay_command(CLI::App& app, int& status);

}  // namespace margay::node
