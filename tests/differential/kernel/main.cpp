// margay_differential: kernel data planes against the reference evaluator.
//
//   margay_differential --dataplane iptables --cases 200 --packets 1000 --seed 1

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "differential/kernel/kernel_subject.h"
#include "differential/run.h"

namespace margay::differential {
namespace {

base::Result<int> run_on_kernel(const Options& options) {
  MARGAY_TRY(const auto subject, KernelSubject::create(options.dataplane));
  return run(*subject, options);
}

}  // namespace
}  // namespace margay::differential

int main(int argc, char** argv) {
  using namespace margay;
  differential::Options options{.dataplane = "iptables"};
  CLI::App app("A kernel data plane's real verdicts against the reference evaluator");
  app.add_option("--dataplane", options.dataplane,
                 "nftables, iptables, iptables-nft, iptables-legacy");
  differential::add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    fmt::print("SKIPPED differential: needs root to make network namespaces\n");
    return 0;
  }
  if (auto set_up = base::set_up_log("differential", options.log_level); !set_up) {
    fmt::print(stderr, "{}\n", set_up.error().message);
    return 2;
  }
  const auto status = differential::run_on_kernel(options);
  if (!status) fmt::print(stderr, "differential: {}\n", status.error().message);
  return status.value_or(2);
}
