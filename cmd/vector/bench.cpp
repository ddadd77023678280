#include "bench.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sched.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <vector>

#include "vector/bench/bench.h"
#include "vector/control/run.h"
#include "vector/eal.h"

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<> stay_on(unsigned core) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(core, &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
    return base::fail_errno(fmt::format("--core {}", core), errno);
  return {};
}

void print_json(const bench::Measurement& result) {
  const auto quoted = [](const std::string& text) {
    return boost::json::serialize(boost::json::value(text));
  };
  fmt::print(
      R"({{"name":{},"packet_bytes":{},"flows":{},"rules":{},"cycles_per_packet":{:.1f},"mpps":{:.3f}{}}})"
      "\n",
      quoted(result.name), result.packet_bytes, result.flows, result.rules,
      result.cycles_per_packet, result.mpps,
      result.note.empty() ? "" : fmt::format(R"(,"note":{})", quoted(result.note)));
}

void print_text(const bench::Measurement& result) {
  fmt::print("{:<30} {:>6} {:>9} {:>7} {:>13.1f} {:>8.2f}  {}\n", result.name, result.packet_bytes,
             result.flows, result.rules, result.cycles_per_packet, result.mpps, result.note);
}

void print_head() {
  fmt::print("{:<30} {:>6} {:>9} {:>7} {:>13} {:>8}\n", "CASE", "BYTES", "FLOWS", "RULES",
             "CYCLES/PACKET", "MPPS");
}

std::vector<bench::Case> matching_cases(const std::string& glob) {
  auto cases = bench::all_cases();
  std::erase_if(cases,
                [&](const auto& each) { return fnmatch(glob.c_str(), each.name.c_str(), 0) != 0; });
  return cases;
}

}  // namespace

Result<int> run_bench(const BenchOptions& options) {
  const auto cases = matching_cases(options.filter);
  if (cases.empty())
    return fail(ErrorCode::not_found, fmt::format("--filter: no case matches {}", options.filter));
  const unsigned core =
      options.core < 0 ? allowed_cores().back() : static_cast<unsigned>(options.core);
  MARGAY_CHECK(stay_on(core));
  MARGAY_CHECK(start_eal({.memory_mib = options.memory_mib, .main_core = core}));
  const bool json = options.output == "json";
  if (!json) print_head();
  int status = 0;
  for (const auto& each : cases) {
    if (const auto result = each.run()) {
      json ? print_json(*result) : print_text(*result);
    } else {
      fmt::print(stderr, "{}: {}\n", each.name, result.error().message);
      status = 1;
    }
    std::fflush(stdout);
  }
  return status;
}

}  // namespace margay::vector
