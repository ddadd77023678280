#include "lab/program.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "lab/environment.h"
#include "net/network_namespace.h"

namespace margay::lab {

using base::ChildProcess;
using base::Result;
using std::chrono::milliseconds;

namespace {

// Of the default pools; short, so that tables of addresses are easy to read.
constexpr const char* k_pod_network_v4 = "10.65.0.0/16";
constexpr const char* k_pod_network_v6 = "fd65::/48";

std::string address_text(const UnderlayAddress& address) {
  return address.address.to_string() + "/" + std::to_string(address.prefix_length);
}

// Names the node's own directories to its programs.
std::map<std::string, std::string> state_variables(const Layout& layout, const std::string& node) {
  const base::NodeState state = layout.node_state(node);
  return {{"MARGAY_STATE_DIR", state.lib}, {"MARGAY_RUN_DIR", state.run}};
}

}  // namespace

Program apiserver_program(const Layout& layout, const std::string& binary) {
  return {.name = "apiserver", .argv = {binary, "lab", "run-apiserver", "--dir", layout.directory}};
}

Program scheduler_program(const Layout& layout, const std::string& binary) {
  return {.name = "scheduler", .argv = {binary, "lab", "run-scheduler", "--dir", layout.directory}};
}

Program agent_program(const Layout& layout, const Settings& settings, const std::string& binary,
                      int node_number) {
  const std::string node = node_name(node_number);
  Program agent{.name = "agent-" + node,
                .argv = {binary, "node", "--name", node, "--kubeconfig",
                         layout.node_kubeconfig(node), "--dataplane", settings.dataplane},
                .environment = {{"FELIX_HEALTHENABLED", "true"},
                                {"FELIX_IPV6SUPPORT", settings.ipv6 ? "true" : "false"},
                                {"IP", address_text(underlay_v4(node_number))},
                                {"CALICO_IPV4POOL_CIDR", k_pod_network_v4}},
                .network_namespace = layout.node_namespace(node)};
  agent.environment.merge(state_variables(layout, node));
  if (settings.record) {
    agent.argv.emplace_back("--record");
    agent.argv.push_back(layout.recording(node));
  }
  if (settings.ipv6) {
    agent.environment["IP6"] = address_text(underlay_v6(node_number));
    agent.environment["CALICO_IPV6POOL_CIDR"] = k_pod_network_v6;
  }
  return agent;
}

Program pod_runner_program(const Layout& layout, const std::string& binary, int node_number) {
  const std::string node = node_name(node_number);
  return {.name = "runner-" + node,
          .argv = {binary, "lab", "run-pods", "--dir", layout.directory, "--node", node},
          .environment = state_variables(layout, node),
          .network_namespace = layout.node_namespace(node)};
}

KeptProgram::KeptProgram(Program program, std::string log_file, const base::Clock& clock)
    : program_(std::move(program)), log_file_(std::move(log_file)), clock_(clock) {}

std::optional<pid_t> KeptProgram::pid() const {
  return process_ ? std::optional(process_->pid()) : std::nullopt;
}

std::optional<base::Clock::Steady> KeptProgram::due() const {
  return process_ ? std::nullopt : std::optional(due_);
}

bool KeptProgram::tend() {
  if (process_) {
    const auto status = process_->wait(milliseconds(0));
    if (!status) return false;
    note_end(*status);
  }
  if (clock_.now() < due_) return false;
  auto process = start();
  if (!process) {
    spdlog::error("{}: {}", program_.name, process.error().message);
    started_ = clock_.now();
    note_end(-1);
    return false;
  }
  process_ = std::move(*process);
  started_ = clock_.now();
  spdlog::info("{} started, pid {}", program_.name, process_->pid());
  return true;
}

void KeptProgram::note_end(int status) {
  process_.reset();
  if (clock_.now() - started_ >= k_settled) pause_.reset();
  const auto pause = pause_.next();
  due_ = clock_.now() + pause;
  spdlog::warn("{} ended with status {}; starting it again in {} ms", program_.name, status,
               pause.count());
}

Result<ChildProcess> KeptProgram::start() const {
  ChildProcess::Options options{.argv = program_.argv,
                                .environment = environment_with(program_.environment),
                                .log_file = log_file_};
  if (program_.network_namespace.empty()) return ChildProcess::start(options);
  MARGAY_TRY(const auto where, net::NetworkNamespace::open_named(program_.network_namespace));
  options.network_namespace = where.fd();
  return ChildProcess::start(options);
}

}  // namespace margay::lab
