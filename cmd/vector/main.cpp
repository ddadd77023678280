// The vector engine's program, which `margay vector` starts: runs the engine, looks into one that
// runs, and measures.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "base/log.h"
#include "bench.h"
#include "vector/control/client.h"
#include "vector/control/pcap_file.h"
#include "vector/control/reply_text.h"
#include "vector/control/run.h"

namespace {

namespace json = boost::json;
using margay::base::Result;
using namespace margay::vector;

constexpr unsigned k_answer_ms = 10'000;

// What the options of every subcommand are read into.
struct Options {
  RunOptions run;
  BenchOptions bench;
  std::string socket = k_default_socket;
  std::string output = "text";
  std::string what;
  bool all = false;
  std::string from, to;
  std::optional<uint16_t> port;
  unsigned limit = 100;
  unsigned count = 10;
  unsigned timeout_seconds = 10;
  std::string node, file;
};

void add_filter(const Options& options, json::object& request) {
  if (!options.from.empty()) request["from"] = options.from;
  if (!options.to.empty()) request["to"] = options.to;
  if (options.port) request["port"] = *options.port;
}

Result<json::object> ask(const Options& options, const json::object& request,
                         unsigned more_ms = 0) {
  return ask_engine(options.socket, request, std::chrono::milliseconds(k_answer_ms + more_ms));
}

Result<int> print(const Options& options, std::string_view what,
                  const Result<json::object>& reply) {
  if (!reply) return std::unexpected(reply.error());
  if (options.output == "json")
    fmt::print("{}\n", json::serialize(*reply));
  else
    fmt::print("{}", reply_text(what, *reply));
  return 0;
}

Result<int> run(const Options& options) {
  MARGAY_CHECK(margay::base::set_up_log("vector", "info"));
  auto run = options.run;
  run.socket = options.socket;
  return run_engine(run);
}

Result<int> reload(const Options& options) {
  MARGAY_TRY(const auto reply, ask(options, {{"command", "reload"}}));
  return 0;
}

Result<int> show(const Options& options) {
  json::object request{{"command", "show"}, {"what", options.what}};
  if (options.what == "drops") request["all"] = options.all;
  if (options.what == "sessions") {
    add_filter(options, request);
    request["limit"] = options.limit;
  }
  return print(options, options.what, ask(options, request));
}

json::object watch_request(const Options& options, std::string_view command) {
  json::object request{{"command", command},
                       {"count", options.count},
                       {"timeoutMs", options.timeout_seconds * 1000}};
  add_filter(options, request);
  return request;
}

Result<int> trace(const Options& options) {
  return print(options, "trace",
               ask(options, watch_request(options, "trace"), options.timeout_seconds * 1000));
}

Result<int> pcap(const Options& options) {
  auto request = watch_request(options, "pcap");
  request["node"] = options.node;
  MARGAY_TRY(const auto reply, ask(options, request, options.timeout_seconds * 1000));
  const auto& packets = reply.at("packets").as_array();
  MARGAY_CHECK(write_pcap(options.file, packets));
  fmt::print("{} packets\n", packets.size());
  return 0;
}

using Action = Result<int> (*)(const Options&);

class Commands {
 public:
  Commands(CLI::App& app, int& status) : app_(app), status_(status) {}

  CLI::App& add(const std::string& name, const std::string& help, Action action) {
    auto* command = app_.add_subcommand(name, help);
    command->callback([options = options_, action, &status = status_] {
      const auto done = action(*options);
      if (!done) fmt::print(stderr, "margay vector: {}\n", done.error().message);
      status = done.value_or(1);
    });
    return *command;
  }
  CLI::App& add_asking(const std::string& name, const std::string& help, Action action) {
    auto& command = add(name, help, action);
    command.add_option("--socket", options_->socket, "the engine's control socket")
        ->capture_default_str();
    return command;
  }
  void add_output(CLI::App& command, std::string& output) {
    command.add_option("-o,--output", output, "text or json")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json"}));
  }
  void add_filter(CLI::App& command, const std::string& what) {
    command.add_option("--from", options_->from, "only " + what + " from this address or CIDR");
    command.add_option("--to", options_->to, "only " + what + " to this address or CIDR");
    command.add_option("--port", options_->port, "only " + what + " from or to this port")
        ->check(CLI::Range(1, 65'535));
  }
  void add_watch(CLI::App& command, unsigned most) {
    command.add_option("--count", options_->count, "how many packets")
        ->capture_default_str()
        ->check(CLI::Range(1U, most));
    command.add_option("--timeout", options_->timeout_seconds, "seconds to wait for them")
        ->capture_default_str()
        ->check(CLI::Range(1, 600));
    add_filter(command, "packets");
  }
  Options& options() { return *options_; }

 private:
  CLI::App& app_;
  int& status_;
  std::shared_ptr<Options> options_ = std::make_shared<Options>();
};

void add_run(Commands& commands) {
  auto& options = commands.options();
  auto& run = commands.add_asking(
      "run", "Run the engine until SIGTERM; SIGHUP reads the configuration again", ::run);
  run.add_option("--config", options.run.configuration,
                 "YAML or JSON: interfaces, routes, nodeAddresses, workloads, policies, services")
      ->required();
  run.add_option("--workers", options.run.workers, "threads that forward, each polling a core")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  run.add_option("--cores", options.run.cores,
                 "their cores, separated by commas (default: the last ones)")
      ->delimiter(',');
  run.add_option("--memory", options.run.memory_mib, "MiB for packet buffers and rings")
      ->capture_default_str()
      ->check(CLI::Range(64, 65536));
  run.add_option("--buffers", options.run.buffers, "packet buffers, of 2 KiB each")
      ->capture_default_str()
      ->check(CLI::Range(4095, 1 << 24));
  commands.add_asking("reload", "Make the engine read its configuration again", ::reload);
}

void add_looking(Commands& commands) {
  auto& options = commands.options();
  auto& show = commands.add_asking("show", "Show what the engine does", ::show);
  show.add_option("what", options.what,
                  "nodes: work of each graph node; drops: packets by reason; sessions: flows;\n"
                  "policies: rules of each workload, and flows they decided; services; runtime")
      ->required()
      ->check(CLI::IsMember({"nodes", "drops", "sessions", "policies", "services", "runtime"}));
  show.add_flag("--all", options.all, "drops: also what never happened");
  show.add_option("--limit", options.limit, "sessions: at most so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  commands.add_filter(show, "sessions");
  commands.add_output(show, options.output);

  auto& trace = commands.add_asking("trace", "Follow packets through the graph", ::trace);
  commands.add_watch(trace, 1000);
  commands.add_output(trace, options.output);

  auto& pcap = commands.add_asking("pcap", "Write packets that come to a node to a file", ::pcap);
  commands.add_watch(pcap, 100'000);
  pcap.add_option("--node", options.node,
                  "the node, or a glob: parse, output, drop-policy-denied-ingress, 'drop-*'")
      ->required();
  pcap.add_option("-w", options.file, "the pcap file")->required();
}

void add_bench(Commands& commands) {
  auto& options = commands.options().bench;
  auto& bench = commands.add("bench", "Measure the graph on one core, with packets from memory",
                             [](const Options& all) { return run_bench(all.bench); });
  bench.add_option("--filter", options.filter, "only cases whose names match this glob")
      ->capture_default_str();
  bench.add_option("--core", options.core, "the core to stay on (default: the last one)");
  bench.add_option("--memory", options.memory_mib, "MiB for packet buffers and rings")
      ->capture_default_str();
  commands.add_output(bench, options.output);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"The vector engine: run, look into, measure"};
    app.name("margay vector");
    app.require_subcommand(1);
    int status = 0;
    Commands commands(app, status);
    add_run(commands);
    add_looking(commands);
    add_bench(commands);
    try {
      app.parse(argc, argv);
      return status;
    } catch (const CLI::ParseError& error) {
      return app.exit(error);
    }
  } catch (const std::exception& bug) {
    fmt::print(stderr, "margay vector: bug: {}\n", bug.what());
    return 70;  // EX_SOFTWARE
  }
}
