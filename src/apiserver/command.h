#pragma once

// `margay apiserver --data-dir DIR --listen ADDR:PORT`

#include "apiserver/api_server.h"

namespace CLI {
class App;
}

namespace margay::apiserver {

// Adds the subcommand to `app`. Parsing a command line that names it runs the server until a signal
// ends it, and sets `status` to the exit status.
void add_command(CLI::App& app, OpenStore open_store, int& status);

}  // namespace margay::apiserver
