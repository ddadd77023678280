#include "ctl/program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

namespace margay::ctl {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Connect connection_of(const SharedProgram& program, const Common& common) {
  return [program, common](Access access) -> base::Result<std::unique_ptr<store::Store>> {
    MARGAY_TRY(auto settings, read_connection_settings(common.config, environment));
    for (const auto& context : {program->context, common.context})
      if (!context.empty()) settings.context = context;
    return connect(settings, program->open_local, access);
  };
}

int tell(const Outcome& outcome) {
  std::fwrite(outcome.output.data(), 1, outcome.output.size(), stdout);
  const bool is_written = std::fflush(stdout) == 0;
  if (!outcome.error.empty()) fmt::print(stderr, "{}\n", outcome.error);
  return outcome.error.empty() && !outcome.differs && is_written ? 0 : 1;
}

void add_connection_options(CLI::App& command, Common& common) {
  command.add_option("-c,--config", common.config, "The file that says how to reach the datastore")
      ->capture_default_str();
  command.add_option("--context", common.context, "Which context of the kubeconfig");
  command.add_flag("--allow-version-mismatch", common.allow_version_mismatch,
                   "For scripts of later releases; versions are not compared");
}

}  // namespace margay::ctl
