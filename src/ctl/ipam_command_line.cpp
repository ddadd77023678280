// ipam show, check, release and configure on the command line.

#include <CLI/CLI.hpp>

#include "ctl/ipam_commands.h"
#include "ctl/program.h"

namespace margay::ctl {
namespace {

template <typename Arguments>
struct Given {
  Common common;
  Arguments arguments;
};

void add_show(CLI::App& parent, const SharedProgram& program, int& status) {
  auto given = std::make_shared<Given<IpamShowArguments>>();
  auto& arguments = given->arguments;
  auto* command = parent.add_subcommand(
      "show", "Show a configuration, an assigned IP address, or overall IP usage");
  auto* what = command->add_option_group("what");
  what->add_option("--ip", arguments.ip, "Whether this address is in use, and by whom");
  what->add_flag("--show-blocks", arguments.blocks, "The blocks of each pool too");
  what->add_flag("--show-borrowed", arguments.borrowed,
                 "The addresses that a node has from another's blocks");
  what->add_flag("--show-configuration", arguments.configuration, "How addresses are handed out");
  what->require_option(0, 1);
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(show_ipam(given->arguments, connection_of(program, given->common)));
  });
}

void add_check(CLI::App& parent, const SharedProgram& program, int& status) {
  auto given = std::make_shared<Given<IpamCheckArguments>>();
  auto& arguments = given->arguments;
  auto* command =
      parent.add_subcommand("check", "Compare what is assigned with what workloads and nodes use");
  command->add_flag("--show-all-ips", arguments.show_all_ips,
                    "Tell every address that is looked at");
  command->add_flag("--show-problem-ips", arguments.show_problem_ips,
                    "Tell the addresses that are leaked, or used without being assigned");
  command->add_option("-o,--output", arguments.output, "A file for a report, for release");
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(check_ipam(given->arguments, connection_of(program, given->common)));
  });
}

void add_release(CLI::App& parent, const SharedProgram& program, int& status) {
  auto given = std::make_shared<Given<IpamReleaseArguments>>();
  auto& arguments = given->arguments;
  auto* command = parent.add_subcommand(
      "release", "Release addresses that nobody uses any more, whatever still has them");
  auto* what = command->add_option_group("what");
  what->add_option("--ip", arguments.ip, "This address");
  what->add_option("--from-report", arguments.report, "Those that a report of check calls leaked");
  what->require_option(1);
  command->add_flag("--force", arguments.force,
                    "Although the datastore is not locked, or another version made the report");
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(release_ipam(given->arguments, connection_of(program, given->common)));
  });
}

void add_configure(CLI::App& parent, const SharedProgram& program, int& status) {
  auto given = std::make_shared<Given<std::string>>();
  auto* command = parent.add_subcommand("configure", "Configure how addresses are handed out");
  command
      ->add_option("--strictaffinity", given->arguments,
                   "true: nodes do not borrow addresses from each other's blocks")
      ->required();
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(configure_ipam(given->arguments, connection_of(program, given->common)));
  });
}

}  // namespace

void add_ipam_commands(CLI::App& parent, const SharedProgram& program, int& status) {
  auto* command = parent.add_subcommand("ipam", "IP address management");
  command->require_subcommand(1);
  add_check(*command, program, status);
  add_release(*command, program, status);
  add_show(*command, program, status);
  add_configure(*command, program, status);
}

}  // namespace margay::ctl
