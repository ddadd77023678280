#pragma once

// `margay crds` and `margay openapi`: documents made from the descriptions of kinds, for clusters
// and tools that ask for them in files.

namespace CLI {
class App;
}

namespace margay::ctl {

// Parsing runs what was asked for and sets `status`.
void add_document_commands(CLI::App& app, int& status);

}  // namespace margay::ctl
