#include "vector/control/requests.h"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <fstream>
#include <map>

#include "api/fields.h"
#include "vector/control/ask.h"
#include "vector/control/listings.h"
#include "vector/control/session_listing.h"

namespace margay::vector {
namespace {

namespace json = boost::json;
using base::Prefix;

constexpr int64_t k_most_sessions = 10'000, k_most_traced = 1'000, k_most_captured = 100'000;
constexpr int64_t k_longest_watch_ms = 600'000;
constexpr int64_t k_usual_watch_ms = 10'000;

// What this program was compiled for.
#if defined(__AVX512F__)
constexpr std::string_view k_isa = "x86-64-v4";
#elif defined(__AVX2__)
constexpr std::string_view k_isa = "x86-64-v3";
#elif defined(__x86_64__)
constexpr std::string_view k_isa = "x86-64-v2";
#else
constexpr std::string_view k_isa = "portable";
#endif

// Reads a request's fields; an error is its reply.
class Arguments {
 public:
  explicit Arguments(const json::object& request)
      : request_(request), fields_(request_, {}, errors_) {
    fields_.text("command");
    fields_.text("what");
  }
  api::Fields& operator*() { return fields_; }
  FlowFilter filter() {
    const auto net = [&](std::string_view name) {
      return fields_.parsed(name, Prefix::parse, "must be an address or a CIDR");
    };
    const auto port = fields_.number("port", 1, 65'535);
    return {net("from"), net("to"),
            port ? std::optional(static_cast<uint16_t>(*port)) : std::nullopt};
  }
  size_t count(std::string_view name, int64_t most, int64_t usual) {
    return static_cast<size_t>(fields_.number(name, 1, most).value_or(usual));
  }
  WatchRequest watch(int64_t most_packets) {
    return {.count = count("count", most_packets, 1),
            .limit =
                std::chrono::milliseconds(count("timeoutMs", k_longest_watch_ms, k_usual_watch_ms)),
            .filter = filter(),
            .node = {}};
  }
  // Answers and returns true when something is wrong with them.
  bool refuse(const Requests::Reply& reply) {
    fields_.no_others();
    if (errors_.empty()) return false;
    const base::Result<> failed = base::fail(std::move(errors_));
    reply({{"error", failed.error().message}});
    return true;
  }

 private:
  const json::value request_;
  std::vector<base::FieldError> errors_;
  api::Fields fields_;
};

WorkerTotals totals_of(Worker& worker) {
  WorkerTotals totals;
  for (const auto& node : node_counts(worker.graph)) {
    if (node.name == "input") totals.polls = node.calls;
    if (node.name == "parse") totals.packets = node.packets;
  }
  totals.sessions4 = worker.sessions4.size();
  totals.sessions6 = worker.sessions6.size();
  totals.session_bytes = worker.sessions4.memory() + worker.sessions6.memory();
  totals.at_ms = monotonic_ms();
  return totals;
}

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Requests::Requests(base::EventLoop& loop, Engine& engine, const Configured& configured,
                   Reload reload)
    : loop_(loop),
      engine_(engine),
      configured_(configured),
      reload_(std::move(reload)),
      watching_(loop, engine, configured),
      second_(loop.context()) {
  every_second();
}

void Requests::handle(const json::object& request, const Reply& reply) {
  static const std::map<std::string, Run, std::less<>> k_commands = {{"show", &Requests::show},
                                                                     {"reload", &Requests::reload},
                                                                     {"trace", &Requests::trace},
                                                                     {"pcap", &Requests::capture}};
  const auto* name = request.if_contains("command");
  const auto found = name && name->is_string()
                         ? k_commands.find(std::string_view(name->get_string()))
                         : k_commands.end();
  if (found == k_commands.end())
    return reply({{"error", "command: must be show, reload, trace or pcap"}});
  (this->*found->second)(request, reply);
}

void Requests::reload(const json::object& request, const Reply& reply) {
  if (Arguments arguments(request); arguments.refuse(reply)) return;
  if (const auto done = reload_(); !done) return reply({{"error", done.error().message}});
  reply({{"reloaded", true}});
}

void Requests::show(const json::object& request, const Reply& reply) {
  static const std::map<std::string, Run, std::less<>> k_shown = {
      {"nodes", &Requests::show_nodes},       {"drops", &Requests::show_drops},
      {"sessions", &Requests::show_sessions}, {"policies", &Requests::show_policies},
      {"services", &Requests::show_services}, {"runtime", &Requests::show_runtime}};
  const auto* what = request.if_contains("what");
  const auto found = what && what->is_string() ? k_shown.find(std::string_view(what->get_string()))
                                               : k_shown.end();
  if (found == k_shown.end())
    return reply(
        {{"error", "what: must be nodes, drops, sessions, policies, services or runtime"}});
  (this->*found->second)(request, reply);
}

void Requests::show_nodes(const json::object& request, const Reply& reply) {
  if (Arguments arguments(request); arguments.refuse(reply)) return;
  ask_workers<std::vector<NodeCount>>(
      loop_, engine_, [](Worker& worker) { return node_counts(worker.graph); },
      [reply](const auto& workers) { reply(nodes_json(workers)); });
}

void Requests::show_drops(const json::object& request, const Reply& reply) {
  Arguments arguments(request);
  const bool all = (*arguments).flag("all");
  if (arguments.refuse(reply)) return;
  ask_workers<std::vector<NodeCount>>(
      loop_, engine_, [](Worker& worker) { return node_counts(worker.graph); },
      [reply, all](const auto& workers) { reply(drops_json(workers, all)); });
}

void Requests::show_sessions(const json::object& request, const Reply& reply) {
  Arguments arguments(request);
  const SessionQuery query{.filter = arguments.filter(),
                           .limit = arguments.count("limit", k_most_sessions, 100)};
  if (arguments.refuse(reply)) return;
  list_sessions(loop_, engine_, query, [reply](SessionListing listing) {
    reply({{"sessions", std::move(listing.sessions)}, {"whole", listing.is_whole}});
  });
}

void Requests::show_policies(const json::object& request, const Reply& reply) {
  if (Arguments arguments(request); arguments.refuse(reply)) return;
  reply(policies_json(engine_, configured_.current()));
}

void Requests::show_services(const json::object& request, const Reply& reply) {
  if (Arguments arguments(request); arguments.refuse(reply)) return;
  reply(services_json(engine_.services()));
}

void Requests::show_runtime(const json::object& request, const Reply& reply) {
  if (Arguments arguments(request); arguments.refuse(reply)) return;
  ask_workers<WorkerTotals>(loop_, engine_, totals_of,
                            [this, reply](const auto& now) { reply(runtime(now)); });
}

json::object Requests::runtime(const std::vector<WorkerTotals>& now) const {
  json::array workers;
  for (size_t i = 0; i < now.size(); ++i) {
    const bool has_rate = i < a_second_ago_.size() && latest_[i].at_ms > a_second_ago_[i].at_ms;
    const auto rate = [&](uint64_t WorkerTotals::* count) {
      if (!has_rate) return 0.0;
      return 1000.0 * static_cast<double>(latest_[i].*count - a_second_ago_[i].*count) /
             static_cast<double>(latest_[i].at_ms - a_second_ago_[i].at_ms);
    };
    workers.push_back({{"worker", i},
                       {"polls", now[i].polls},
                       {"pollsPerSecond", rate(&WorkerTotals::polls)},
                       {"packets", now[i].packets},
                       {"packetsPerSecond", rate(&WorkerTotals::packets)},
                       {"sessions4", now[i].sessions4},
                       {"sessions6", now[i].sessions6},
                       {"sessionBytes", now[i].session_bytes}});
  }
  const auto policy = engine_.classifier().memory();
  return {{"workers", std::move(workers)},
          {"epoch", engine_.epoch()},
          {"buffers", rte_mempool_avail_count(engine_.buffers()) +
                          rte_mempool_in_use_count(engine_.buffers())},
          {"buffersFree", rte_mempool_avail_count(engine_.buffers())},
          {"residentBytes", resident_bytes()},
          {"policyBytes", policy.list_bytes + policy.map_bytes},
          {"maglevBytes", engine_.services().maglev_tables().bytes()},
          {"isa", k_isa}};
}

void Requests::trace(const json::object& request, const Reply& reply) {
  Arguments arguments(request);
  const WatchRequest watch = arguments.watch(k_most_traced);
  if (!arguments.refuse(reply)) watching_.trace(watch, reply);
}

void Requests::capture(const json::object& request, const Reply& reply) {
  Arguments arguments(request);
  WatchRequest watch = arguments.watch(k_most_captured);
  watch.node = (*arguments).text("node", true).value_or("");
  if (!arguments.refuse(reply)) watching_.capture(watch, reply);
}

void Requests::every_second() {
  ask_workers<WorkerTotals>(loop_, engine_, totals_of, [this](std::vector<WorkerTotals> now) {
    a_second_ago_ = std::exchange(latest_, std::move(now));
  });
  second_.expires_after(std::chrono::seconds(1));
  second_.async_wait([this](const boost::system::error_code& error) {
    if (!error) every_second();
  });
}

}  // namespace margay::vector
