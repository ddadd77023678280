#include "node/command.h"

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/log.h"
#include "node/data_planes.h"
#include "node/node_program.h"

namespace margay::node {

void add_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("node", "Run the agent of a node");
  auto options = std::make_shared<NodeOptions>();
  command
      ->add_option("--name", options->name,
                   "Name of this node (default: the host's, in lower case)")
      ->envname("NODENAME");
  command
      ->add_option("--kubeconfig", options->kubeconfig,
                   "How to reach the API server (default: the pod's service account)")
      ->envname("KUBECONFIG");
  command->add_option("--dataplane", options->data_plane, "What enforces policy")
      ->capture_default_str()
      ->check(CLI::IsMember(data_plane_names()));
  command->add_option(
      "--config-file", options->config_file,
      std::string("Felix's settings (default: ") + k_default_config_file + ", if it exists)");
  command->add_option("--record", options->record,
                      "Write all that the data plane is asked into this file, for `margay replay`");
  command->callback([options, &status] {
    if (auto log = base::set_up_log("node", "info"); !log)
      throw std::logic_error(log.error().message);
    const auto result = run_node(*options);
    if (!result) spdlog::critical("{}", result.error().message);
    status = result.value_or(1);
  });
}

}  // namespace margay::node
