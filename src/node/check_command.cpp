#include "node/check_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/node_state.h"
#include "dataplane/linux/interface_monitor.h"
#include "node/agent.h"
#include "node/data_plane_reports.h"
#include "node/data_planes.h"
#include "node/host_interfaces.h"
#include "node/interface_exclusion.h"
#include "node/node_program.h"
#include "node/reading_dataplane.h"
#include "node/remembered_settings.h"
#include "node/startup.h"

extern char** environ;

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using base::Result;
using dataplane::Differences;

constexpr auto k_read_again = 500ms;
constexpr auto k_interfaces_timeout = 10s;

struct CheckOptions {
  NodeOptions node;
  std::string output = "text";
  unsigned settle_seconds = 5;
  unsigned timeout_seconds = 60;
};

std::string_view to_string(dataplane::StateKind kind) {
  switch (kind) {
    case dataplane::StateKind::rules:
      return "rules";
    case dataplane::StateKind::sets:
      return "sets";
    case dataplane::StateKind::routes:
      break;
  }
  return "routes";
}

std::string as_text(const Differences& differences) {
  std::string out;
  for (const auto& [kind, item, problem] : differences)
    out += fmt::format("{}: {}: {}\n", to_string(kind), item, problem);
  return out.empty() ? "as desired\n" : out;
}

std::string as_json(const Differences& differences) {
  boost::json::array list;
  for (const auto& [kind, item, problem] : differences)
    list.push_back({{"kind", to_string(kind)}, {"item", item}, {"problem", problem}});
  const boost::json::object out{{"equal", differences.empty()}, {"differences", std::move(list)}};
  return boost::json::serialize(out) + "\n";
}

// An agent whose data plane is only read. What differs is looked at again for a while: an agent
// beside it may be about to write it.
class Check {
 public:
  Check(const CheckOptions& options, store::Store& store, std::string name)
      : options_(options), store_(store), name_(std::move(name)) {}

  Result<Differences> run(const Parameters& parameters, std::vector<Settings> stored) {
    MARGAY_TRY(auto kernel, make_data_plane(options_.node.data_plane, name_, parameters, reports_));
    Enforcer enforcer(std::make_unique<ReadingDataPlane>(
                          std::move(kernel),
                          [this](Result<Differences> read) {
                            loop_.post([this, read = std::move(read)] { on_read(read); });
                          }),
                      {.refresh = {{dataplane::StateKind::rules, k_read_again}}}, reports_, health_,
                      metrics_);
    enforcer.start();
    auto options = Agent::Options::of(name_, parameters, std::move(stored));
    options.on_settings_changed = [this] { end("FelixConfiguration has just changed"); };
    options.on_pools_changed = [] {};
    Agent agent(loop_, store_, enforcer, health_, metrics_, std::move(options));
    AgentInterfaces heard(parameters.interface_exclude, enforcer, agent);
    HostInterfaces interfaces;
    dataplane::linux_host::InterfaceMonitor monitor;
    MARGAY_CHECK(monitor.start(interfaces));
    MARGAY_CHECK(interfaces.list(k_interfaces_timeout));
    heard.listen_to(interfaces);
    MARGAY_CHECK(agent.start());
    boost::asio::steady_timer deadline(loop_.context(),
                                       std::chrono::seconds(options_.timeout_seconds));
    deadline.async_wait([this](const boost::system::error_code& error) {
      if (!error && !first_read_) end("the datastore was not read in time");
    });
    loop_.run();
    return result_;
  }

 private:
  // What differs at each look so far has lasted.
  void on_read(Result<Differences> read) {
    if (read && result_ && first_read_)
      std::erase_if(*read, [&](const auto& now) {
        return std::ranges::none_of(*result_, [&](const auto& before) {
          return before.kind == now.kind && before.item == now.item;
        });
      });
    result_ = std::move(read);
    if (!first_read_) first_read_ = clock_.now();
    const bool is_settled =
        clock_.now() - *first_read_ >= std::chrono::seconds(options_.settle_seconds);
    if (!result_ || result_->empty() || is_settled) loop_.stop();
  }

  void end(const char* why) {
    result_ = base::fail(base::ErrorCode::unavailable, why);
    loop_.stop();
  }

  const CheckOptions& options_;
  store::Store& store_;
  const std::string name_;
  base::EventLoop loop_;
  const base::SystemClock clock_;
  Health health_{clock_};
  AgentMetrics metrics_{name_};
  DataPlaneReports reports_{{}, metrics_};
  Result<Differences> result_ = base::fail(base::ErrorCode::unavailable, "interrupted");
  std::optional<base::Clock::Steady> first_read_;
};

Result<Differences> check(const CheckOptions& options) {
  MARGAY_TRY(auto sources, local_settings(options.node));
  MARGAY_TRY(const Resolved local, resolve(sources));
  MARGAY_TRY(const std::string name, node_name(options.node.name, local.parameters.hostname));
  MARGAY_TRY(auto access, access_of(options.node));
  MARGAY_TRY(const auto store,
             store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
  const auto state = base::NodeState::from_environment(environ);
  MARGAY_TRY(auto stored, settings_from_store(*store, name, remembered_settings(state)));
  sources.insert(sources.end(), stored.begin(), stored.end());
  MARGAY_TRY(const Resolved resolved, resolve(sources));
  return Check(options, *store, name).run(resolved.parameters, std::move(stored));
}

int report(const CheckOptions& options, const Result<Differences>& found) {
  if (!found) {
    std::fputs(("margay check: " + found.error().message + "\n").c_str(), stderr);
    return 2;
  }
  const auto text = options.output == "json" ? as_json(*found) : as_text(*found);
  std::fputs(text.c_str(), stdout);
  return found->empty() ? 0 : 1;
}

}  // namespace

void add_check_command(CLI::App& app, int& status) {
  auto* check_command = app.add_subcommand("check", "Compare what is with what ought to be");
  check_command->require_subcommand(1);
  auto* command = check_command->add_subcommand(
      "dataplane",
      "Read this node's rules, sets and routes from the kernel and say what differs from what the "
      "datastore asks for; writes nothing. Status: 0 nothing does, 1 something does, 2 it cannot "
      "be "
      "told");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("--name", options->node.name, "Name of this node, as its agent has it")
      ->envname("NODENAME");
  command
      ->add_option("--kubeconfig", options->node.kubeconfig,
                   "How to reach the API server (default: the pod's service account)")
      ->envname("KUBECONFIG");
  command->add_option("--dataplane", options->node.data_plane, "What enforces policy here")
      ->capture_default_str()
      ->check(CLI::IsMember(data_plane_names()));
  command->add_option(
      "--config-file", options->node.config_file,
      std::string("Felix's settings (default: ") + k_default_config_file + ", if it exists)");
  command->add_option("-o,--output", options->output, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  command
      ->add_option("--settle", options->settle_seconds,
                   "Seconds for which a difference has to last, while the agent may be writing")
      ->capture_default_str();
  command->add_option("--timeout", options->timeout_seconds, "Seconds for reading the datastore")
      ->capture_default_str();
  command->callback([options, &status] {
    if (auto log = base::set_up_log("check", "error"); !log)
      throw std::logic_error(log.error().message);
    status = report(*options, check(*options));
  });
}

}  // namespace margay::node
