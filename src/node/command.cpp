#include "node/command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/backoff.h"
#include "base/log.h"
#include "node/agent.h"
#include "node/data_planes.h"
#include "node/http_endpoint.h"
#include "node/startup.h"
#include "node/tunnel_address.h"
#include "store/kubernetes/kubernetes_store.h"

extern char** environ;

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using base::Result;

struct CommandLine {
  std::string name;
  std::string kubeconfig;
  std::string data_plane = "iptables";
  std::string config_file;
};

constexpr const char* k_default_config_file = "/etc/calico/felix.cfg";

// The settings that do not come from the store: environment, then file.
Result<std::vector<Settings>> local_settings(const CommandLine& line) {
  std::vector<Settings> sources{settings_from_environment(environ)};
  if (!line.config_file.empty() || std::filesystem::exists(k_default_config_file)) {
    MARGAY_TRY(
        sources.emplace_back(),
        settings_from_file(line.config_file.empty() ? k_default_config_file : line.config_file));
  }
  return sources;
}

// Until it succeeds or fails for good. At boot the API server may come later than the nodes.
template <typename Step>
auto until_available(const char* what, Step step) -> decltype(step()) {
  base::Backoff backoff({.initial = 200ms, .max = 10s});
  while (true) {
    auto result = step();
    if (result) return result;
    const auto code = result.error().code;
    const bool passing = code == base::ErrorCode::unavailable || code == base::ErrorCode::timeout;
    if (!passing) return base::fail(result.error().wrap(what));
    spdlog::warn("{}: {}; trying again", what, result.error().message);
    std::this_thread::sleep_for(backoff.next());
  }
}

std::chrono::milliseconds refresh_interval(const Parameters& parameters) {
  std::chrono::milliseconds shortest{0};
  for (const auto interval :
       {parameters.iptables_refresh_interval, parameters.route_refresh_interval,
        parameters.ipsets_refresh_interval})
    if (interval.count() > 0 && (shortest.count() == 0 || interval < shortest)) shortest = interval;
  return shortest;
}

HttpEndpoint::Reply health_reply(const Health& health, std::string_view path) {
  if (path != "/liveness" && path != "/readiness") return {404, "text/plain", "not found\n"};
  const auto answer = path == "/liveness" ? health.live() : health.ready();
  return {answer.good ? 200U : 503U, "text/plain; charset=utf-8", answer.text};
}

struct Endpoints {
  std::unique_ptr<HttpEndpoint> health, metrics;
};

Result<Endpoints> start_endpoints(const Parameters& parameters, const Health& health,
                                  const AgentMetrics& metrics) {
  Endpoints endpoints;
  if (parameters.health_enabled) {
    MARGAY_TRY(endpoints.health,
               HttpEndpoint::start(parameters.health_host, parameters.health_port,
                                   [&](auto path) { return health_reply(health, path); }));
  }
  if (parameters.metrics_enabled) {
    MARGAY_TRY(endpoints.metrics,
               HttpEndpoint::start(parameters.metrics_host, parameters.metrics_port,
                                   [&](std::string_view path) -> HttpEndpoint::Reply {
                                     if (path != "/metrics") return {404, "text/plain", ""};
                                     return {200, "text/plain; version=0.0.4", metrics.text()};
                                   }));
  }
  return endpoints;
}

// A new process image with the same arguments: settings are read anew, and what is programmed goes
// on enforcing meanwhile.
[[noreturn]] void restart() {
  std::vector<std::string> arguments;
  std::ifstream file("/proc/self/cmdline");
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv("/proc/self/exe", pointers.data());
  spdlog::critical("restart: {}", strerror(errno));
  _exit(1);
}

Result<int> run(const CommandLine& line) {
  MARGAY_TRY(const auto startup, StartupOptions::from_environment(line.name, environ));
  MARGAY_TRY(auto sources, local_settings(line));
  MARGAY_TRY(auto access, store::kubernetes::load_kubeconfig(line.kubeconfig));
  MARGAY_TRY(const auto store,
             store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
  MARGAY_CHECK(until_available("start-up", [&] { return start_up(*store, startup); }));
  MARGAY_TRY(auto stored, until_available("read the configuration",
                                          [&] { return settings_from_store(*store, line.name); }));
  sources.insert(sources.end(), stored.begin(), stored.end());
  MARGAY_TRY(const Resolved resolved, resolve(sources));
  for (const auto& warning : resolved.warnings) spdlog::warn("{}", warning);
  const Parameters& parameters = resolved.parameters;
  MARGAY_CHECK(base::set_up_log("node", parameters.log_severity_screen));

  const base::SystemClock clock;
  Health health(clock);
  AgentMetrics metrics(line.name);
  MARGAY_TRY(auto data_plane, make_data_plane(line.data_plane, line.name, parameters));
  Enforcer enforcer(std::move(data_plane), refresh_interval(parameters), health, metrics);
  MARGAY_CHECK(enforcer.start());

  TunnelAddressKeeper tunnel_addresses(*store, line.name);
  base::EventLoop loop;
  bool restarting = false;
  Agent agent(loop, *store, enforcer, health, metrics,
              {.node = line.name,
               .on_settings_changed =
                   [&] {
                     spdlog::info("FelixConfiguration has changed: restarting");
                     restarting = true;
                     loop.stop();
                   },
               .on_pools_changed = [&] { tunnel_addresses.request(); },
               .stored_settings = std::move(stored)});
  MARGAY_CHECK(agent.start());
  MARGAY_TRY(const Endpoints endpoints, start_endpoints(parameters, health, metrics));
  const int status = loop.run();
  if (restarting) restart();
  return status;
}

}  // namespace

void add_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("node", "Run the agent of a node");
  auto line = std::make_shared<CommandLine>();
  command->add_option("--name", line->name, "Name of this node")->required()->envname("NODENAME");
  command->add_option("--kubeconfig", line->kubeconfig, "How to reach the API server")
      ->required()
      ->envname("KUBECONFIG");
  command->add_option("--dataplane", line->data_plane, "What enforces policy")
      ->capture_default_str()
      ->check(CLI::IsMember(data_plane_names()));
  command->add_option(
      "--config-file", line->config_file,
      std::string("Felix's settings (default: ") + k_default_config_file + ", if it exists)");
  command->callback([line, &status] {
    if (auto log = base::set_up_log("node", "info"); !log)
      throw std::logic_error(log.error().message);
    const auto result = run(*line);
    if (!result) spdlog::critical("{}", result.error().message);
    status = result.value_or(1);
  });
}

}  // namespace margay::node
