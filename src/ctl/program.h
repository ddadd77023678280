#pragma once

// What calicoctl's commands share on the command line: how they are given the datastore, and how
// they end.

#include <memory>
#include <string>

#include "ctl/connection.h"
#include "ctl/resource_commands.h"

namespace CLI {
class App;
}

namespace margay::ctl {

// Of the whole program.
struct Program {
  OpenLocal open_local;
  std::string context;  // given before the command
  std::string log_level = "panic";
};
using SharedProgram = std::shared_ptr<Program>;

// Of every command that needs a datastore.
struct Common {
  std::string config = k_default_config;
  std::string context;
  bool allow_version_mismatch = false;
};

void add_connection_options(CLI::App& command, Common& common);
Connect connection_of(const SharedProgram& program, const Common& common);

// Prints how a command ended; its exit status.
int tell(const Outcome& outcome);

// Each adds its commands to `parent`. Parsing runs what was asked for and sets `status`.
void add_resource_commands(CLI::App& parent, const SharedProgram& program, int& status);
void add_ipam_commands(CLI::App& parent, const SharedProgram& program, int& status);

}  // namespace margay::ctl
