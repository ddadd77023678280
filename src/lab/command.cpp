#include "lab/command.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>

#include "base/log.h"
#include "lab/apiserver_launcher.h"
#include "lab/cluster.h"
#include "lab/lab.h"
#include "lab/pod_runner.h"
#include "lab/sandbox.h"
#include "lab/scheduler.h"
#include "lab/serve.h"
#include "lab/supervisor.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// This program's own file, to start its other parts from.
Result<std::string> own_binary() {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return base::fail_errno("/proc/self/exe", error.value());
  return path.string();
}

Result<> require_root() {
  if (geteuid() == 0) return {};
  return fail(ErrorCode::forbidden, "network namespaces need root: run this with sudo");
}

// What the options of every subcommand are read into. Lives as long as the parser's callbacks.
struct Options {
  std::string directory{k_default_directory};
  Settings settings;
  std::string pod;
  std::vector<std::string> command;
  ProbeRequest probe;
  int64_t timeout_ms = 1000;
  int64_t wait_seconds = 30;
  std::string node;
  ServerOptions server;
  std::string lock_file;
  std::vector<std::string> server_ports;
};

using Action = std::function<Result<>(const Options&)>;

// ---- for users
// -----------------------------------------------------------------------------------

Result<> run_up(const Options& options) {
  MARGAY_CHECK(require_root());
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  MARGAY_TRY(const auto binary, own_binary());
  MARGAY_CHECK(up(layout, options.settings, binary));
  fmt::print("{}\n", layout.kubeconfig().string());
  return {};
}

Result<> run_down(const Options& options) {
  MARGAY_CHECK(require_root());
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  return down(layout);
}

Result<> run_exec(const Options& options) {
  MARGAY_CHECK(require_root());
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  // Everything after the pod is the command, so CLI11 hands us the separator too.
  std::vector<std::string> command = options.command;
  if (command.front() == "--") command.erase(command.begin());
  if (command.empty()) return fail(ErrorCode::invalid, "a command is missing after --");
  return fail(exec_in_pod(layout, options.pod, command));
}

Result<> run_probe(const Options& options) {
  MARGAY_CHECK(require_root());
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  auto request = options.probe;
  request.timeout = std::chrono::milliseconds(options.timeout_ms);
  request.wait = std::chrono::seconds(options.wait_seconds);
  MARGAY_TRY(const auto text, probe_pods(layout, request, [](const std::string& line) {
               fmt::print(stderr, "margay lab: {}\n", line);
             }));
  fmt::print("{}", text);
  return {};
}

// ---- the lab's own programs
// ------------------------------------------------------------------------

Result<> run_supervisor(const Options& options) {
  MARGAY_CHECK(base::set_up_log("lab", "info"));
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  MARGAY_TRY(const auto binary, own_binary());
  return supervise(layout, binary);
}

Result<> run_apiserver(const Options& options) {
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  MARGAY_TRY(const auto settings, Settings::load(layout));
  MARGAY_TRY(const auto binary, own_binary());
  return fail(exec_apiserver(layout, settings, binary));
}

Result<> run_scheduler_program(const Options& options) {
  MARGAY_CHECK(base::set_up_log("scheduler", "info"));
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  MARGAY_TRY(const auto cluster, Cluster::open(layout.kubeconfig()));
  return run_scheduler(*cluster);
}

Result<> run_pod_runner(const Options& options) {
  MARGAY_CHECK(base::set_up_log("runner", "info"));
  MARGAY_TRY(const auto layout, Layout::at(options.directory));
  MARGAY_TRY(const auto settings, Settings::load(layout));
  MARGAY_TRY(const int number, node_number(options.node));
  MARGAY_TRY(const auto binary, own_binary());
  MARGAY_TRY(const auto cluster, Cluster::open(layout.node_kubeconfig(options.node)));
  PodRunnerOptions runner{.node = options.node, .node_addresses = {underlay_v4(number).address}};
  if (settings.ipv6) runner.node_addresses.push_back(underlay_v6(number).address);
  const Sandboxes sandboxes(layout, options.node, binary);
  return run_pods(*cluster, sandboxes, runner);
}

// In the background: whoever started it is not kept waiting, and need not collect its status.
Result<> run_server(const Options& options) {
  auto server = options.server;
  server.lock_file = options.lock_file;
  for (const auto& text : options.server_ports) {
    MARGAY_TRY(const auto port, ServedPort::parse(text));
    server.ports.push_back(port);
  }
  const pid_t child = fork();
  if (child < 0) return base::fail_errno("fork", errno);
  if (child > 0) _exit(0);
  return serve(server);
}

// ---- parsing
// -------------------------------------------------------------------------------------

class Commands {
 public:
  Commands(CLI::App& lab, int& status) : lab_(lab), status_(status) {}

  CLI::App& add(const std::string& name, const std::string& help, Action action) {
    auto* command = lab_.add_subcommand(name, help);
    command->add_option("--dir", options_->directory, "where the lab keeps everything")
        ->capture_default_str();
    command->callback([options = options_, action = std::move(action), &status = status_] {
      const auto done = action(*options);
      if (done) return;
      fmt::print(stderr, "margay lab: {}\n", done.error().message);
      status = 1;
    });
    return *command;
  }
  // Part of the lab's own workings: not shown in the help.
  CLI::App& add_hidden(const std::string& name, Action action) {
    auto& command = add(name, "", std::move(action));
    command.group("");
    return command;
  }
  Options& options() { return *options_; }

 private:
  CLI::App& lab_;
  int& status_;
  std::shared_ptr<Options> options_ = std::make_shared<Options>();
};

void add_user_commands(Commands& commands) {
  auto& options = commands.options();
  auto& up =
      commands.add("up", "Start a lab; prints the path of its kubeconfig when it is ready", run_up);
  up.add_option("--nodes", options.settings.nodes, "how many nodes")
      ->capture_default_str()
      ->check(CLI::Range(1, k_max_nodes));
  up.add_option("--dataplane", options.settings.dataplane, "what the agents enforce policy with")
      ->capture_default_str()
      ->check(CLI::IsMember({"iptables", "nftables"}));
  up.add_flag("--ipv6", options.settings.ipv6, "pods have IPv6 addresses too");
  up.add_flag("--record", options.settings.record,
              "each node's agent records into DIR/nodes/NODE/recording (see `margay replay`)");

  auto& exec = commands.add("exec", "Run a command in a pod's network namespace", run_exec);
  exec.add_option("pod", options.pod, "NAMESPACE/POD")->required();
  exec.add_option("command", options.command, "the command and its arguments, after --")
      ->required();

  auto& probe = commands.add("probe", "Show who reaches whom, by real connections", run_probe);
  probe.add_option("-o,--output", options.probe.output, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  probe.add_option("--from", options.probe.from, "selector of the pods to connect from");
  probe.add_option("--to", options.probe.to, "selector of the pods to connect to");
  probe.add_option("--protocol", options.probe.protocols, "tcp or udp; may be repeated")
      ->check(CLI::IsMember({"tcp", "udp"}));
  probe
      .add_option("--port", options.probe.ports,
                  "port; may be repeated; by default the first that each container declares")
      ->check(CLI::Range(1, 65'535));
  probe.add_option("--timeout", options.timeout_ms, "milliseconds until silence counts as denied")
      ->capture_default_str()
      ->check(CLI::Range(1, 60'000));
  probe
      .add_option("--wait", options.wait_seconds,
                  "seconds to wait at most for pods that are still starting")
      ->capture_default_str()
      ->check(CLI::Range(0, 3600));

  commands.add("down", "End a lab and remove everything it made", run_down);
}

void add_own_programs(Commands& commands) {
  auto& options = commands.options();
  commands.add_hidden("supervise", run_supervisor);
  commands.add_hidden("run-apiserver", run_apiserver);
  commands.add_hidden("run-scheduler", run_scheduler_program);
  commands.add_hidden("run-pods", run_pod_runner).add_option("--node", options.node)->required();
  auto& serve = commands.add_hidden("serve", run_server);
  serve.add_option("--identity", options.server.identity)->required();
  serve.add_option("--lock-file", options.lock_file)->required();
  serve.add_option("--port", options.server_ports);
}

}  // namespace

void add_command(CLI::App& app, int& status) {
  auto* lab = app.add_subcommand("lab", "A cluster on this machine, from network namespaces");
  lab->require_subcommand(1);
  Commands commands(*lab, status);
  add_user_commands(commands);
  add_own_programs(commands);
}

}  // namespace margay::lab
