#include "differential/trial.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>

#include "differential/packet_source.h"
#include "policy/interpret.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::Direction;
using policy::Generator;
using policy::Model;
using policy::Packet;
using policy::Verdict;

// Below the kernel's queue of packets waiting on a CPU (net.core.netdev_max_backlog: 1000).
constexpr size_t k_most_in_batch = 250;
constexpr size_t k_most_tries = 20;  // for a packet whose way is determined

// As the wire needs it. The workloads' MAC addresses are those of the far ends. No host endpoint
// governs every interface, and so the uplink: the oracle asks the policy of workloads alone, and
// what host endpoints decide has a test of its own (dataplane/iptables/host_traffic_test.cpp).
policy::ModelChange for_the_wire(policy::ModelChange change) {
  using Host = policy::Change<policy::HostEndpointKey, policy::HostEndpoint>;
  if (auto* host = std::get_if<Host>(&change); host && host->value)
    if (host->value->interface_name == "*") host->value->interface_name = "eth1";
  using Workload = policy::Change<policy::WorkloadKey, policy::WorkloadEndpoint>;
  if (auto* workload = std::get_if<Workload>(&change); workload && workload->value)
    if (const auto& name = workload->value->interface_name; !name.empty())
      workload->value->mac = workload_mac(name).to_string();
  return change;
}

Model for_the_wire(const Model& generated) {
  Model model;
  for (auto& change : generated.changes()) model.apply(for_the_wire(std::move(change)));
  return model;
}

std::string interpreted(const policy::ProgramState& program, const Oracle& oracle,
                        const Expectation& expected) {
  std::string out;
  for (const auto* endpoint : oracle.endpoints()) {
    const bool sends = endpoint->interface_name == expected.injection.interface_name;
    if (!sends && endpoint->interface_name != expected.leaves_by) continue;
    const auto verdict =
        policy::interpret(program, endpoint->key, sends ? Direction::egress : Direction::ingress,
                          expected.injection.packet);
    out += fmt::format(" {} {}", sends ? "egress" : "ingress",
                       verdict == Verdict::allow ? "allow" : "deny");
  }
  return out;
}

// Whether the packet came out where it has to, and nowhere else.
bool is_right(const Subject& subject, const std::vector<std::string>& arrivals,
              const Expectation& expected) {
  if (expected.verdict == Verdict::allow)
    return arrivals.size() == 1 && arrivals[0] == expected.leaves_by;
  return subject.denied_goes_nowhere() ? arrivals.empty()
                                       : std::ranges::count(arrivals, expected.leaves_by) == 0;
}

class Trial {
 public:
  Trial(Subject& subject, uint64_t seed, const TrialOptions& options)
      : subject_(subject),
        options_(options),
        generator_(seed, {.node = k_node, .workloads = options.workloads, .floating_ips = false}),
        random_(seed ^ 0x9e3779b97f4a7c15U) {}

  Result<TrialResult> run() {
    model_ = for_the_wire(generator_.model());
    MARGAY_CHECK(subject_.start(model_));
    for (size_t phase = 0; phase < options_.phases; ++phase) {
      if (phase > 0) MARGAY_CHECK(change());
      MARGAY_CHECK(judge(options_.packets / options_.phases));
    }
    const policy::ProgramState stepwise = subject_.program();
    MARGAY_TRY(result_.drift, subject_.start_over(model_));
    if (stepwise != subject_.program()) result_.drift += "the graph's program is another one\n";
    return std::move(result_);
  }

 private:
  size_t below(size_t bound) { return random_() % bound; }

  Result<> change() {
    std::vector<policy::ModelChange> changes;
    for (size_t count = 1 + below(4); count > 0; --count) {
      changes.push_back(for_the_wire(generator_.change(model_)));
      model_.apply(changes.back());
    }
    return subject_.change(changes);
  }

  Result<> judge(size_t count) {
    const Oracle oracle(model_, k_node);
    if (oracle.endpoints().empty()) return {};
    PacketSource source(generator_, random_, model_, oracle, options_.candidates);
    while (count > 0) {
      const size_t size = std::min(count, k_most_in_batch);
      MARGAY_CHECK(judge_batch(oracle, source, size));
      count -= size;
    }
    return {};
  }

  Result<> judge_batch(const Oracle& oracle, PacketSource& source, size_t size) {
    std::vector<Expectation> expected;
    std::vector<Injection> batch;
    source.start_batch();
    for (size_t tries = 0; expected.size() < size && tries < size * k_most_tries; ++tries)
      if (auto expectation = source.next()) {
        batch.push_back(expectation->injection);
        expected.push_back(std::move(*expectation));
      }
    MARGAY_TRY(const Arrivals arrivals, subject_.exchange(batch));
    for (size_t i = 0; i < expected.size(); ++i) compare(oracle, expected[i], arrivals[i]);
    return {};
  }

  void compare(const Oracle& oracle, const Expectation& expected,
               const std::vector<std::string>& arrivals) {
    ++result_.verdicts;
    result_.allowed += expected.verdict == Verdict::allow ? 1 : 0;
    if (is_right(subject_, arrivals, expected)) return;
    ++result_.mismatches;
    if (result_.first) return;
    result_.first = Mismatch{
        .model = model_,
        .packet = expected.injection.packet,
        .expected = expected.verdict,
        .description = fmt::format(
            "{} from {} to {}: came out of [{}]; the evaluator says {}; the program says{}",
            to_string(expected.injection.packet), expected.injection.interface_name,
            expected.leaves_by, fmt::join(arrivals, ", "), oracle.explain(expected).why,
            interpreted(subject_.program(), oracle, expected))};
  }

  Subject& subject_;
  const TrialOptions& options_;
  Generator generator_;
  std::mt19937_64 random_;
  Model model_;
  TrialResult result_;
};

}  // namespace

Result<TrialResult> run_trial(Subject& subject, uint64_t seed, const TrialOptions& options) {
  return Trial(subject, seed, options).run();
}

Result<std::optional<bool>> disagrees(Subject& subject, const Model& model, const Packet& packet) {
  const Oracle oracle(model, k_node);
  const auto expected = oracle.expect(packet);
  if (!expected) return std::nullopt;
  MARGAY_CHECK(subject.start(model));
  MARGAY_TRY(const Arrivals arrivals, subject.exchange({&expected->injection, 1}));
  return !is_right(subject, arrivals[0], *expected);
}

}  // namespace margay::differential
