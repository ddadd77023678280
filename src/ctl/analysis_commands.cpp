#include "ctl/analysis_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "base/printable.h"
#include "base/text.h"
#include "ctl/cluster.h"
#include "ctl/explain.h"
#include "ctl/flow.h"
#include "ctl/simulate.h"
#include "store/kubernetes/kubeconfig.h"
#include "store/kubernetes/kubernetes_store.h"

namespace margay::ctl {
namespace {

using base::Result;

// Where the cluster is read from.
struct Source {
  std::vector<std::string> files;
  std::string kubeconfig, context;
};

struct ExplainArguments {
  Source source;
  std::string from, to;
  std::string protocol = "tcp";
  std::optional<uint16_t> port, source_port;
  std::optional<uint8_t> icmp_type, icmp_code;
  std::optional<int> ip_version;
  std::optional<std::string> from_ip, to_ip;
  std::string via, in, out;
  std::vector<std::string> interfaces;
  std::string original_to;
  uint16_t original_port = 0;
  std::string output = "text";
  int64_t wait_seconds = 30;
};

struct SimulateArguments {
  Source source;
  std::string queries;
  bool trace = false;
  std::string output = "jsonl";
};

Result<store::kubernetes::ClusterAccess> find_access(const Source& source) {
  if (!source.kubeconfig.empty())
    return store::kubernetes::load_kubeconfig(source.kubeconfig, source.context);
  const auto inside =
      store::kubernetes::load_in_cluster(store::kubernetes::InCluster::from_environment());
  const char* home = std::getenv("HOME");
  if (inside || home == nullptr) return inside;
  auto access =
      store::kubernetes::load_kubeconfig(std::string(home) + "/.kube/config", source.context);
  if (!access && access.error().code == base::ErrorCode::not_found)
    return base::fail(std::move(access).error().wrap(
        "neither files (-f) nor a cluster (--kubeconfig, $KUBECONFIG) are given"));
  return access;
}

Result<Cluster> read_cluster(const Source& source) {
  if (!source.files.empty()) {
    MARGAY_TRY(const FileObjects objects, read_objects(source.files));
    return Cluster::from_files(objects);
  }
  MARGAY_TRY(auto access, find_access(source));
  MARGAY_TRY(const auto store,
             store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
  return Cluster::from_store(*store);
}

Result<Cluster> read_cluster_aloud(const Source& source) {
  auto cluster = read_cluster(source);
  if (cluster)
    for (const auto& warning : cluster->warnings())
      fmt::print(stderr, "warning: {}\n", base::printable(warning));
  return cluster;
}

int print(const ExplainArguments& arguments, const Cluster& cluster, const Answer& answer) {
  if (arguments.output == "json")
    fmt::print("{}\n", boost::json::serialize(explain_json(cluster, answer)));
  else
    fmt::print("{}", explain_text(cluster, answer));
  return 0;
}

// Asks again while an end of the flow is a pod that is still starting, as behind `kubectl apply`.
Result<int> explain_once_started(const ExplainArguments& arguments, const Flow& flow) {
  constexpr std::chrono::milliseconds k_poll{200};
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(arguments.wait_seconds);
  bool told = false;
  while (true) {
    MARGAY_TRY(const Cluster cluster, read_cluster_aloud(arguments.source));
    const auto answer = FlowJudge(cluster).judge(flow, true);
    if (answer) return print(arguments, cluster, *answer);
    const bool may_change =
        answer.error().code == base::ErrorCode::unavailable && arguments.source.files.empty();
    if (!may_change || std::chrono::steady_clock::now() >= deadline)
      return base::fail(answer.error());
    if (!std::exchange(told, true))
      fmt::print(stderr, "{}; waiting up to {} s\n", answer.error().message,
                 arguments.wait_seconds);
    std::this_thread::sleep_for(k_poll);
  }
}

Result<std::optional<policy::IPAddress>> parse_address(const std::optional<std::string>& text,
                                                       std::string_view option) {
  if (!text) return std::nullopt;
  auto address = policy::IPAddress::parse(*text);
  if (!address) return base::fail(std::move(address).error().wrap(std::string(option)));
  return *address;
}

// "node-a/eth0=10.0.0.1,fd00::1"
Result<> add_interface(const std::string& text, Flow& flow) {
  const auto slash = text.find('/');
  const auto equals = text.find('=', slash == text.npos ? 0 : slash);
  if (slash == text.npos || equals == text.npos)
    return base::fail(base::ErrorCode::invalid,
                      "--interface: must be <node>/<interface>=<address>,...");
  auto& addresses =
      flow.interfaces[text.substr(0, slash)][text.substr(slash + 1, equals - slash - 1)];
  const auto list = text.substr(equals + 1);
  for (const auto part : base::split_trimmed(list, ',')) {
    MARGAY_TRY(const auto address, parse_address(std::string(part), "--interface"));
    addresses.push_back(*address);
  }
  return {};
}

Result<int> explain(const ExplainArguments& arguments) {
  Flow flow{.from = arguments.from,
            .to = arguments.to,
            .source_port = arguments.source_port,
            .port = arguments.port,
            .icmp_type = arguments.icmp_type,
            .icmp_code = arguments.icmp_code,
            .via = arguments.via,
            .in = arguments.in,
            .out = arguments.out};
  MARGAY_TRY(flow.from_ip, parse_address(arguments.from_ip, "--from-ip"));
  MARGAY_TRY(flow.to_ip, parse_address(arguments.to_ip, "--to-ip"));
  for (const auto& text : arguments.interfaces) MARGAY_CHECK(add_interface(text, flow));
  if (!arguments.original_to.empty())
    flow.original = {arguments.original_to, arguments.original_port};
  MARGAY_TRY(flow.protocol, parse_protocol(arguments.protocol));
  if (arguments.ip_version)
    flow.family = *arguments.ip_version == 4 ? policy::IPFamily::v4 : policy::IPFamily::v6;
  return explain_once_started(arguments, flow);
}

Result<int> simulate_queries(const SimulateArguments& arguments) {
  std::ifstream file;
  if (arguments.queries != "-") {
    file.open(arguments.queries);
    if (!file) return base::fail_errno(arguments.queries, errno);
  }
  MARGAY_TRY(const Cluster cluster, read_cluster_aloud(arguments.source));
  const auto counts = simulate(FlowJudge(cluster), arguments.queries == "-" ? std::cin : file,
                               std::cout, arguments.trace);
  std::cout.flush();
  if (!std::cout) return base::fail_errno("write answers", errno);
  if (counts.errors == 0) return 0;
  fmt::print(stderr, "margay ctl simulate: {} of {} queries could not be answered\n", counts.errors,
             counts.queries);
  return 1;
}

void add_source(CLI::App& command, Source& source) {
  command.add_option("-f,--filename", source.files,
                     "Files or folders of YAML or JSON objects to ask instead of a cluster");
  command.add_option("--kubeconfig", source.kubeconfig, "How to reach the cluster")
      ->envname("KUBECONFIG");
  command.add_option("--context", source.context, "Which context of the kubeconfig");
}

// Runs `run(arguments)` when the command is asked for.
template <typename Arguments, typename Run>
void on_command(CLI::App& command, std::string name, std::shared_ptr<Arguments> arguments, Run run,
                int& status) {
  command.callback([name = std::move(name), arguments = std::move(arguments), run, &status] {
    const auto done = run(*arguments);
    if (!done) fmt::print(stderr, "margay ctl {}: {}\n", name, done.error().message);
    status = done ? *done : 1;
  });
}

}  // namespace

void add_explain_command(CLI::App& parent, int& status) {
  auto arguments = std::make_shared<ExplainArguments>();
  auto* command = parent.add_subcommand(
      "explain", "Say which policies and rules a flow meets, and which one decides");
  command->add_option("--from", arguments->from, "<namespace>/<pod>, node/<name> or an IP address")
      ->required();
  command->add_option("--to", arguments->to, "<namespace>/<pod>, node/<name> or an IP address")
      ->required();
  command->add_option("--protocol", arguments->protocol, "tcp, udp, sctp, icmp, icmpv6 or a number")
      ->capture_default_str();
  command->add_option("--port", arguments->port, "Destination port");
  command->add_option("--sport", arguments->source_port, "Source port (a client's, if not given)");
  command->add_option("--icmp-type", arguments->icmp_type,
                      "ICMP type (an echo request, if not given)");
  command->add_option("--icmp-code", arguments->icmp_code, "ICMP code");
  command->add_option("--ip-version", arguments->ip_version, "4 or 6")
      ->check(CLI::IsMember({4, 6}));
  command->add_option("--from-ip", arguments->from_ip, "The address of --from, which is a node");
  command->add_option("--to-ip", arguments->to_ip, "The address of --to, which is a node");
  command->add_option("--via", arguments->via, "node/<name>: the node that forwards it");
  command->add_option("--in", arguments->in, "The interface by which it enters a node");
  command->add_option("--out", arguments->out, "The interface by which it leaves a node");
  command->add_option("--interface", arguments->interfaces,
                      "<node>/<interface>=<address>,...: what an interface has");
  command->add_option("--original-to", arguments->original_to,
                      "Where it was sent, before the address of a service was translated");
  command->add_option("--original-port", arguments->original_port, "The port of --original-to");
  command->add_option("-o,--output", arguments->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command
      ->add_option("--wait", arguments->wait_seconds,
                   "Seconds to wait at most for pods of a cluster that are still starting")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  add_source(*command, arguments->source);
  on_command(*command, "explain", arguments, explain, status);
}

void add_simulate_command(CLI::App& parent, int& status) {
  auto arguments = std::make_shared<SimulateArguments>();
  auto* command = parent.add_subcommand("simulate", "Give the verdict of every flow in a file");
  command
      ->add_option("--queries", arguments->queries,
                   "One JSON object a line; - reads standard input")
      ->required();
  command->add_flag("--trace", arguments->trace,
                    "Say every tier, policy and rule that was looked at");
  command->add_option("-o,--output", arguments->output, "jsonl")
      ->check(CLI::IsMember({"jsonl"}))
      ->capture_default_str();
  add_source(*command, arguments->source);
  on_command(*command, "simulate", arguments, simulate_queries, status);
}

}  // namespace margay::ctl
