#include "node/replay_command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>

#include "base/log.h"
#include "dataplane/memory/memory_dataplane.h"
#include "dataplane/wire/recording.h"
#include "node/agent_metrics.h"
#include "node/data_plane_reports.h"
#include "node/data_planes.h"
#include "node/parameters.h"

extern char** environ;

namespace margay::node {
namespace {

using base::Result;

constexpr const char* k_memory = "memory";

struct ReplayOptions {
  std::string file;
  std::string data_plane = k_memory;
};

Result<std::unique_ptr<dataplane::DataPlane>> data_plane_of(const ReplayOptions& options,
                                                            const std::string& node,
                                                            dataplane::Upcalls& upcalls) {
  if (options.data_plane == k_memory) return std::make_unique<dataplane::memory::MemoryDataPlane>();
  MARGAY_TRY(const Resolved resolved, resolve({settings_from_environment(environ)}));
  for (const auto& warning : resolved.warnings) spdlog::warn("{}", warning);
  return make_data_plane(options.data_plane, node, resolved.parameters, upcalls);
}

std::string summary(const dataplane::wire::Replayed& replayed) {
  std::map<dataplane::EndpointState, int> counts;
  for (const auto& [key, status] : replayed.endpoints) ++counts[status.state];
  std::string out =
      fmt::format("node {}: {} deltas, {} applies, {} of them failed\n", replayed.node,
                  replayed.deltas, replayed.applies, replayed.failed_applies);
  if (!replayed.last_failure.empty()) out += "last failure: " + replayed.last_failure + "\n";
  for (const auto state : dataplane::k_endpoint_states)
    out += fmt::format("endpoints {}: {}\n", dataplane::to_string(state), counts[state]);
  for (const auto& [key, status] : replayed.endpoints)
    if (status.state != dataplane::EndpointState::up)
      out += fmt::format("  {} {}: {}\n", dataplane::to_string(key),
                         dataplane::to_string(status.state), status.reason);
  return out;
}

Result<int> replay(const ReplayOptions& options) {
  MARGAY_TRY(auto recording, dataplane::wire::Recording::open(options.file));
  AgentMetrics metrics(recording.node());
  DataPlaneReports reports({}, metrics);
  MARGAY_TRY(const auto data_plane, data_plane_of(options, recording.node(), reports));
  MARGAY_TRY(const auto replayed, recording.play(*data_plane));
  std::fputs(summary(replayed).c_str(), stdout);
  return replayed.failed_applies == 0 ? 0 : 1;
}

}  // namespace

void add_replay_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("replay", "Play an agent's recording to a data plane");
  auto options = std::make_shared<ReplayOptions>();
  std::vector<std::string> names = data_plane_names();
  names.insert(names.begin(), k_memory);
  command->add_option("file", options->file, "what `margay node --record` has written")->required();
  command
      ->add_option("--dataplane", options->data_plane,
                   "to which; all but \"memory\" program this network namespace")
      ->capture_default_str()
      ->check(CLI::IsMember(names));
  command->callback([options, &status] {
    if (auto log = base::set_up_log("replay", "warning"); !log)
      throw std::logic_error(log.error().message);
    const auto result = replay(*options);
    if (!result) std::fputs(("margay replay: " + result.error().message + "\n").c_str(), stderr);
    status = result.value_or(1);
  });
}

}  // namespace margay::node
