// The one program: `margay <command>`; the CNI plugins and calicoctl when called by their names.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include "apiserver/command.h"
#include "apiserver/local_store.h"
#include "base/log.h"
#include "cni/plugin.h"
#include "controllers/command.h"
#include "ctl/commands.h"
#include "ctl/document_commands.h"
#include "lab/command.h"
#include "node/check_command.h"
#include "node/command.h"
#include "node/replay_command.h"
#include "store/sqlite/sqlite_store.h"
#include "vector.h"

namespace {

constexpr const char* k_store_file = "store.db";
// How long a server waits for a command that has the store to be done.
constexpr std::chrono::seconds k_patience{10};

// What objects are kept in where there is no other store.
margay::base::Result<std::unique_ptr<margay::store::Store>> open_embedded_store(
    const std::filesystem::path& folder) {
  return margay::store::sqlite::SqliteStore::open(
      {.path = (folder / k_store_file).string(), .patience = k_patience});
}

// The same for one command of calicoctl's, which gives way to a server.
margay::base::Result<std::unique_ptr<margay::store::Store>> open_local_store(
    const std::string& folder, margay::ctl::Access access) {
  const auto path = std::filesystem::path(folder) / k_store_file;
  std::error_code unreadable;  // which opening it tells better
  if (access == margay::ctl::Access::read && !std::filesystem::exists(path, unreadable) &&
      !unreadable)
    return margay::base::fail(margay::base::ErrorCode::not_found, "there is no store in " + folder);
  auto opened = margay::store::sqlite::SqliteStore::open({.path = path.string()});
  if (!opened) return margay::base::fail(opened.error());
  return std::make_unique<margay::apiserver::LocalStore>(*std::move(opened));
}

int run_commands(int argc, char** argv) {
  CLI::App app{"Kubernetes networking and network security"};
  app.name("margay");
  app.set_version_flag("--version", std::string("margay ") + MARGAY_VERSION);
  app.require_subcommand(1);
  int status = 0;
  margay::apiserver::add_command(app, open_embedded_store, status);
  margay::node::add_command(app, status);
  margay::node::add_replay_command(app, status);
  margay::controllers::add_command(app, status);
  margay::node::add_check_command(app, status);
  margay::lab::add_command(app, status);
  margay::ctl::add_command(app, open_local_store, status);
  margay::ctl::add_document_commands(app, status);
  margay::add_vector_command(app, status);
  try {
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "";
    // Standard output is for answers: spdlog's own logger would write there until a command has set
    // up its log.
    if (const auto set = margay::base::set_up_log(name, "info"); !set)
      std::cerr << "margay: " << set.error().message << '\n';
    if (name == "calico") return margay::cni::run_plugin();
    if (name == "calico-ipam") return margay::cni::run_ipam_plugin();
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (name == "calicoctl" || name == "kubectl-calico")
      return margay::ctl::run(name, arguments, open_local_store);
    if (!arguments.empty() && arguments.front() == "ctl")
      return margay::ctl::run("margay ctl", {arguments.begin() + 1, arguments.end()},
                              open_local_store);
    return run_commands(argc, argv);
  } catch (const std::exception& bug) {
    std::cerr << "margay: bug: " << bug.what() << '\n';
    return 70;  // EX_SOFTWARE
  }
}
