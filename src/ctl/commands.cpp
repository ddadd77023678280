#include "ctl/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "base/log.h"
#include "ctl/analysis_commands.h"
#include "ctl/completion.h"
#include "ctl/node_status.h"
#include "ctl/program.h"
#include "ctl/validate_command.h"
#include "ctl/version_command.h"

namespace margay::ctl {
namespace {

void add_validate(CLI::App& parent, int& status) {
  auto arguments = std::make_shared<ValidateArguments>();
  auto* command = parent.add_subcommand(
      "validate", "Say what is wrong with resources in files, without a datastore");
  command
      ->add_option("-f,--filename", arguments->file,
                   "A file of resources in YAML or JSON, a folder of such, or - for standard input")
      ->required();
  command->add_flag("-R,--recursive", arguments->recursive, "Also the folders in a folder");
  command->add_option("-o,--output", arguments->output, "text or json")->capture_default_str();
  command->callback([arguments, &status] { status = tell(validate_manifests(*arguments)); });
}

// Once, or for ever at the interval that was asked for.
Outcome show_version(const Common& common, const std::string& poll, const SharedProgram& program) {
  const auto interval = parse_go_duration(poll);
  if (!interval) return {.output = {}, .error = interval.error().message};
  tell({.output = client_version(), .error = {}});
  ClusterVersion cluster(connection_of(program, common));
  auto outcome = cluster.look();
  while (interval->count() > 0) {
    tell(outcome);
    std::this_thread::sleep_for(*interval);
    outcome = cluster.look();
  }
  return outcome;
}

void add_version(CLI::App& parent, const SharedProgram& program, int& status) {
  struct Given {
    Common common;
    std::string poll = "0";
  };
  auto given = std::make_shared<Given>();
  auto* command =
      parent.add_subcommand("version", "Show the version of this program and of the cluster");
  command->add_option("--poll", given->poll, "Look again so often (1s, 10m, ...); 0: look once")
      ->capture_default_str();
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(show_version(given->common, given->poll, program));
  });
}

void add_node(CLI::App& parent, int& status) {
  auto* command = parent.add_subcommand("node", "The node that this runs on");
  command->require_subcommand(1);
  command
      ->add_subcommand("status",
                       "Show whether the node's agent runs, and the state of its BGP peers")
      ->callback([&status] { status = tell(node_status()); });
}

void add_completion(CLI::App& parent, int& status) {
  auto shell = std::make_shared<std::string>();
  auto* command = parent.add_subcommand(
      "completion", "Print a script that completes commands: source <(calicoctl completion bash)");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->option_text("SHELL");
  command->callback([shell, &status] {
    status = tell({.output = completion_script(*shell, "calicoctl").value_or(""), .error = {}});
  });
}

SharedProgram add_commands(CLI::App& app, const OpenLocal& open_local, int& status) {
  auto program = std::make_shared<Program>(Program{.open_local = open_local});
  app.require_subcommand(1);
  app.add_option("--context", program->context, "Which context of the kubeconfig");
  app.add_option("-l,--log-level", program->log_level, "panic, fatal, error, warn, info or debug")
      ->check(CLI::IsMember({"panic", "fatal", "error", "warn", "info", "debug"}))
      ->capture_default_str();
  app.parse_complete_callback([program] {
    const auto& wanted = program->log_level;
    const auto level = wanted == "warn"                        ? "warning"
                       : wanted == "info" || wanted == "debug" ? wanted
                                                               : "error";
    if (const auto set = base::set_up_log("calicoctl", level); !set)
      fmt::print(stderr, "{}\n", set.error().message);
  });
  add_resource_commands(app, program, status);
  add_ipam_commands(app, program, status);
  add_node(app, status);
  add_version(app, program, status);
  add_validate(app, status);
  add_completion(app, status);
  add_explain_command(app, status);
  add_simulate_command(app, status);
  return program;
}

constexpr const char* k_description =
    "Network policy, endpoints, addresses and nodes of Margay, as Calico's calicoctl manages them";

}  // namespace

void add_command(CLI::App& app, const OpenLocal& open_local, int& status) {
  add_commands(*app.add_subcommand("ctl", k_description), open_local, status);
}

int run(const std::string& program, const std::vector<std::string>& arguments,
        const OpenLocal& open_local) {
  CLI::App app{k_description};
  app.name(program);
  int status = 0;
  const auto shared = add_commands(app, open_local, status);
  if (!arguments.empty() && arguments.front() == k_complete)
    return tell(
        {.output = fmt::format(
             "{}\n", fmt::join(completions(app, {arguments.begin() + 1, arguments.end()}), "\n")),
         .error = {}});
  try {
    auto reversed = arguments;  // as CLI11 wants them
    std::ranges::reverse(reversed);
    app.parse(std::move(reversed));
    return status;
  } catch (const CLI::Success& asked) {  // --help
    return app.exit(asked);
  } catch (const CLI::ParseError&) {
    const auto is_asked_for = [&](const CLI::App* command) {
      return command->get_name() == arguments.front();
    };
    const bool is_unknown = !arguments.empty() && !arguments.front().starts_with('-') &&
                            std::as_const(app).get_subcommands(is_asked_for).empty();
    if (is_unknown)
      fmt::print(stderr, "Unknown command: \"{}\"\n{}\n", arguments.front(), app.help());
    else
      fmt::print(
          stderr,
          "Invalid option: '{}{}{}'. Use flag '--help' to read about a specific subcommand.\n",
          program, arguments.empty() ? "" : " ", fmt::join(arguments, " "));
    return 1;
  }
}

}  // namespace margay::ctl
