#include "controllers/command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "api/formats.h"
#include "base/log.h"
#include "controllers/program.h"

namespace margay::controllers {
namespace {

struct Options {
  ProgramOptions program;
  std::string leak_grace = "15m";
  bool checks_ready = false;
  bool checks_live = false;
};

base::Result<int> run(const Options& options) {
  ProgramOptions program = options.program;
  const auto grace = api::formats::parse_duration(options.leak_grace);
  if (!grace)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("--leak-grace-period: Invalid value: \"{}\": must be a duration "
                                  "such as 15m, or 0s",
                                  options.leak_grace));
  program.leak_grace = std::chrono::ceil<std::chrono::milliseconds>(*grace);
  return run_controllers(program);
}

int check_status(const Options& options) {
  const auto checked = options.checks_ready ? check_ready(options.program.status_file)
                                            : check_live(options.program.status_file);
  fmt::print("{}\n", checked ? (options.checks_ready ? "Ready" : "Live") : checked.error().message);
  return checked ? 0 : 1;
}

void add_check(CLI::App& command, const std::shared_ptr<Options>& options, int& status) {
  auto* check = command.add_subcommand("check-status", "For probes: how the controllers stand");
  auto* which = check->add_option_group("which");
  which->add_flag("-r,--ready", options->checks_ready, "Whether every part is ready");
  which->add_flag("-l,--live", options->checks_live, "Whether they have not hung");
  which->require_option(1);
  check->add_option("-f,--file,--status-file", options->program.status_file, "The status file")
      ->capture_default_str();
  check->callback([options, &status] { status = check_status(*options); });
}

}  // namespace

void add_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "controllers", "Take back what nodes and pods that are gone had: calico-kube-controllers");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--kubeconfig", options->program.kubeconfig,
                   "How to reach the API server (default: the pod's service account)")
      ->envname("KUBECONFIG");
  command
      ->add_option("--status-file", options->program.status_file,
                   "Where probes find how the controllers stand")
      ->capture_default_str();
  command
      ->add_option("--leak-grace-period", options->leak_grace,
                   "How long an address of a node that is there must have been nobody's; 0s: leave "
                   "such alone")
      ->envname("LEAK_GRACE_PERIOD")
      ->capture_default_str();
  add_check(*command, options, status);
  command->require_subcommand(0, 1);
  command->footer(
      "Environment, as Calico's kube-controllers take it: ENABLED_CONTROLLERS, LOG_LEVEL, "
      "HEALTH_ENABLED, RECONCILER_PERIOD, DATASTORE_TYPE. What it leaves open, "
      "KubeControllersConfiguration default says.");
  command->callback([command, options, &status] {
    if (!command->get_subcommands().empty()) return;
    if (auto log = base::set_up_log("controllers", "info"); !log)
      throw std::logic_error(log.error().message);
    const auto result = run(*options);
    if (!result) spdlog::critical("{}", result.error().message);
    status = result.value_or(1);
  });
}

}  // namespace margay::controllers
