#pragma once

namespace CLI {
class App;
}

namespace margay::controllers {

// Adds `margay controllers`. Its exit status goes to `status`.
void add_command(CLI::App& app, int& status);

}  // namespace margay::controllers
