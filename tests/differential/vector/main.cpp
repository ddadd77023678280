// margay_differential_vector: the vector engine against the reference evaluator.
//
//   margay_differential_vector --cases 200 --packets 1000 --seed 1
//   margay_differential_vector --cases 1000 --packets 100000 --candidates 1
//   margay_differential_vector --cases 0 --services 10000000

#include <fmt/format.h>

#include "base/log.h"
#include "differential/run.h"
#include "differential/vector/engine_subject.h"
#include "differential/vector/service_packets.h"
#include "vector/service/testing/service_trial.h"

namespace margay::differential {
namespace {

// The service table against its model. Clients have room, or not enough, by turns.
int judge_services(uint64_t seed, uint64_t operations) {
  constexpr uint64_t k_parts = 10;
  uint64_t done = 0, mismatches = 0;
  for (uint64_t part = 0; part < k_parts; ++part) {
    const auto report = vector::testing::run_service_trial(seed + part, operations / k_parts,
                                                           part % 2 == 0 ? 4096 : 16);
    done += operations / k_parts;
    mismatches += report.mismatches;
    if (report.mismatches > 0)
      fmt::print("services, seed {}: {}\n", seed + part, report.description);
  }
  fmt::print("seeds {} to {}\nservices: {} operations, {} mismatches\n", seed, seed + k_parts - 1,
             done, mismatches);
  return mismatches == 0 && done > 0 ? 0 : 1;
}

// The same through the whole engine.
base::Result<int> judge_services_by_packets(uint64_t seed, uint64_t operations) {
  MARGAY_TRY(const auto report, judge_service_packets(seed, operations));
  if (report.mismatches > 0)
    fmt::print("services by packets, seed {}: {}\n", seed, report.description);
  fmt::print(
      "seed {}; {} flows opened, {} refused, {} packets went on, {} answers, {} moved\n"
      "services by packets: {} operations, {} mismatches\n",
      seed, report.opened, report.refused, report.continued, report.answered, report.moved,
      report.operations, report.mismatches);
  return report.mismatches == 0 && report.opened > 0 && report.answered > 0 && report.moved > 0 ? 0
                                                                                                : 1;
}

int report_failure(const base::Result<int>& status) {
  if (!status) fmt::print(stderr, "differential: {}\n", status.error().message);
  return status.value_or(2);
}

}  // namespace
}  // namespace margay::differential

int main(int argc, char** argv) {
  using namespace margay;
  differential::Options options{.dataplane = "vector"};
  CLI::App app("The vector engine's verdicts against the reference evaluator");
  uint64_t services = 0, service_packets = 0;
  app.add_option("--dataplane", options.dataplane, "vector")->check(CLI::IsMember({"vector"}));
  app.add_option("--services", services, "operations on services, against their model");
  app.add_option("--service-packets", service_packets,
                 "operations on services, through the whole engine");
  differential::add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (auto set_up = base::set_up_log("differential", options.log_level); !set_up) {
    fmt::print(stderr, "{}\n", set_up.error().message);
    return 2;
  }
  int status = services > 0 ? differential::judge_services(options.seed, services) : 0;
  if (service_packets > 0)
    status = std::max(status, differential::report_failure(differential::judge_services_by_packets(
                                  options.seed, service_packets)));
  if (options.cases > 0) {
    differential::EngineSubject subject;
    status = std::max(status, differential::report_failure(differential::run(subject, options)));
  }
  return status;
}
