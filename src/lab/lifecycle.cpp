#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/process.h"
#include "lab/apiserver_launcher.h"
#include "lab/cluster.h"
#include "lab/environment.h"
#include "lab/lab.h"
#include "lab/node_health.h"
#include "lab/processes.h"
#include "lab/supervisor.h"
#include "lab/topology.h"
#include "net/network_namespace.h"

namespace margay::lab {
namespace {

using base::ChildProcess;
using base::ErrorCode;
using base::fail;
using base::Result;
using net::NetworkNamespace;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds k_ready_within{60};
constexpr seconds k_end_within{10};
constexpr seconds k_lock_within{10};
constexpr milliseconds k_poll{20};

// Everything but the directory: processes first, since they keep namespaces alive.
Result<> tear_down(const Layout& layout) {
  const std::string mark = layout.mark();
  MARGAY_CHECK(kill_processes([&](const ProcessView& process) { return process.carries(mark); },
                              k_end_within));
  MARGAY_TRY(const auto names, NetworkNamespace::names());
  std::vector<ino_t> inodes;
  for (const auto& name : names) {
    if (name.starts_with(layout.namespace_prefix())) inodes.push_back(namespace_inode(name));
  }
  MARGAY_CHECK(kill_processes(
      [&](const ProcessView& process) {
        return std::ranges::any_of(
            inodes, [&](ino_t inode) { return inode != 0 && process.is_in_namespace(inode); });
      },
      k_end_within));
  return remove_namespaces(layout);
}

// Only what a lab makes: the directory may be one that the user had before.
Result<> remove_files(const Layout& layout) {
  for (const auto& path : {layout.settings_file(), layout.processes_file(), layout.kubeconfig(),
                           layout.supervisor_lock(), layout.apiserver(), layout.nodes(),
                           layout.cni_bin(), layout.logs(), layout.lock_file()}) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    std::filesystem::remove(path.string() + ".new", error);
    if (error) return base::fail_errno("remove " + path.string(), error.value());
  }
  std::error_code not_empty;
  std::filesystem::remove(layout.directory, not_empty);
  return {};
}

// One `up` or `down` at a time.
Result<base::FileLock> lock(const Layout& layout) {
  const auto deadline = steady_clock::now() + k_lock_within;
  while (true) {
    MARGAY_CHECK(base::make_directories(layout.directory));
    auto lock = base::FileLock::acquire(layout.lock_file());
    if (lock || lock.error().code != ErrorCode::conflict) return lock;
    if (steady_clock::now() > deadline) {
      return fail(ErrorCode::conflict,
                  "another `margay lab` is at work in " + layout.directory.string());
    }
    std::this_thread::sleep_for(k_poll);
  }
}

Result<ChildProcess> start_supervisor(const Layout& layout, const std::string& binary) {
  const auto mark = layout.mark();
  const auto equals = mark.find('=');
  return ChildProcess::start(
      {.argv = {binary, "lab", "supervise", "--dir", layout.directory},
       .environment = environment_with({{mark.substr(0, equals), mark.substr(equals + 1)}}),
       .log_file = layout.log_of("supervisor")});
}

// Nothing when ready; otherwise what is still missing.
Result<> check_ready(const Layout& layout, const Settings& settings) {
  MARGAY_TRY(const auto cluster, Cluster::open(layout.kubeconfig()));
  MARGAY_TRY(const auto registered, cluster->node_names());
  for (int number = 1; number <= settings.nodes; ++number) {
    const std::string name = node_name(number);
    if (std::ranges::find(registered, name) == registered.end()) {
      return fail(ErrorCode::unavailable, name + " is not registered");
    }
    MARGAY_TRY(const auto where, NetworkNamespace::open_named(layout.node_namespace(name)));
    if (auto ready = check_agent_ready(where); !ready) {
      return fail(std::move(ready).error().wrap("the agent of " + name));
    }
  }
  return {};
}

Result<> wait_until_ready(const Layout& layout, const Settings& settings,
                          ChildProcess& supervisor) {
  const auto deadline = steady_clock::now() + k_ready_within;
  while (true) {
    const auto ready = check_ready(layout, settings);
    if (ready) return {};
    if (supervisor.wait(milliseconds(0))) {
      return fail(ErrorCode::unavailable, fmt::format("the supervisor ended; see {}",
                                                      layout.log_of("supervisor").string()));
    }
    if (steady_clock::now() > deadline) {
      return fail(ErrorCode::timeout,
                  fmt::format("not ready after {} s: {}; see {}", k_ready_within.count(),
                              ready.error().message, layout.logs().string()));
    }
    std::this_thread::sleep_for(k_poll);
  }
}

}  // namespace

Result<> up(const Layout& layout, Settings settings, const std::string& binary) {
  std::optional<base::FileLock> held;
  MARGAY_TRY(held, lock(layout));
  if (is_supervised(layout)) {
    return fail(ErrorCode::conflict, fmt::format("a lab is running in {0}; `margay lab down --dir "
                                                 "{0}` ends it",
                                                 layout.directory.string()));
  }
  MARGAY_CHECK(tear_down(layout));
  MARGAY_TRY(settings.api_port, free_local_port());
  MARGAY_CHECK(settings.save(layout));
  MARGAY_CHECK(base::make_directories(layout.logs()));
  MARGAY_TRY(auto supervisor, start_supervisor(layout, binary));
  held.reset();  // from here on a `down` may end what is being waited for

  auto ready = wait_until_ready(layout, settings, supervisor);
  supervisor.detach();
  if (!ready) MARGAY_CHECK(tear_down(layout));
  return ready;
}

Result<> down(const Layout& layout) {
  MARGAY_TRY(const auto held, lock(layout));
  MARGAY_CHECK(tear_down(layout));
  return remove_files(layout);
}

}  // namespace margay::lab
