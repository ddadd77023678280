#include "differential/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "differential/node.h"
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
constexpr size_t k_most_drift_lines = 10;
constexpr size_t k_most_tries = 20;  // for a packet whose way is determined

// The workloads' MAC addresses are those of the far ends.
policy::ModelChange with_mac(policy::ModelChange change) {
  using Workload = policy::Change<policy::WorkloadKey, policy::WorkloadEndpoint>;
  if (auto* workload = std::get_if<Workload>(&change); workload && workload->value)
    if (const auto& name = workload->value->interface_name; !name.empty())
      workload->value->mac = workload_mac(name).to_string();
  return change;
}

Model with_macs(const Model& generated) {
  Model model;
  for (auto& change : changes_of(generated)) model.apply(with_mac(std::move(change)));
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

class Trial {
 public:
  Trial(Wire& wire, uint64_t seed, const TrialOptions& options)
      : wire_(wire),
        options_(options),
        generator_(seed, {.node = k_node, .workloads = options.workloads}),
        random_(seed ^ 0x9e3779b97f4a7c15U) {}

  Result<TrialResult> run() {
    model_ = with_macs(generator_.model());
    MARGAY_TRY(Node node, Node::start(options_.dataplane, model_));
    for (size_t phase = 0; phase < options_.phases; ++phase) {
      if (phase > 0) MARGAY_CHECK(change(node));
      MARGAY_CHECK(judge(node, options_.packets / options_.phases));
    }
    MARGAY_CHECK(compare_with_fresh(node));
    return std::move(result_);
  }

 private:
  size_t below(size_t bound) { return random_() % bound; }

  Result<> change(Node& node) {
    std::vector<policy::ModelChange> changes;
    for (size_t count = 1 + below(4); count > 0; --count) {
      changes.push_back(with_mac(generator_.change(model_)));
      model_.apply(changes.back());
    }
    return node.change(changes);
  }

  Result<> judge(Node& node, size_t count) {
    const Oracle oracle(model_, k_node);
    PacketSource source(generator_, random_, model_, oracle);
    while (count > 0 && !oracle.endpoints().empty()) {
      const size_t size = std::min(count, k_most_in_batch);
      MARGAY_CHECK(judge_batch(node, oracle, source, size));
      count -= size;
    }
    return {};
  }

  Result<> judge_batch(Node& node, const Oracle& oracle, PacketSource& source, size_t size) {
    std::vector<Expectation> expected;
    source.start_batch();
    for (size_t tries = 0; expected.size() < size && tries < size * k_most_tries; ++tries)
      if (auto expectation = source.next()) expected.push_back(std::move(*expectation));
    std::vector<Injection> batch;
    for (const auto& each : expected) batch.push_back(each.injection);
    MARGAY_TRY(const Arrivals arrivals, wire_.exchange(batch));
    for (size_t i = 0; i < expected.size(); ++i)
      compare(node, oracle, expected[i], arrivals.at(i, expected[i].leaves_by));
    return {};
  }

  void compare(Node& node, const Oracle& oracle, const Expectation& expected, bool arrived) {
    ++result_.verdicts;
    result_.allowed += arrived ? 1 : 0;
    if (arrived == (expected.verdict == Verdict::allow)) return;
    ++result_.mismatches;
    if (result_.first) return;
    result_.first = Mismatch{
        .model = model_,
        .packet = expected.injection.packet,
        .expected = expected.verdict,
        .description = fmt::format(
            "{} from {} to {}: the kernel says {}; the evaluator says {}; the program says{}",
            to_string(expected.injection.packet), expected.injection.interface_name,
            expected.leaves_by, arrived ? "allow" : "deny", expected.why,
            interpreted(node.program(), oracle, expected))};
  }

  // What was reached step by step must be what a start from nothing gives; and a data plane that
  // starts over its own state must leave it as it is.
  Result<> compare_with_fresh(Node& node) {
    MARGAY_TRY(const auto stepwise, programmed_state());
    MARGAY_CHECK(node.dataplane().clean_up());
    MARGAY_TRY(const auto nothing, programmed_state());
    for (const auto& line : nothing) result_.drift += "left by clean-up: " + line + "\n";
    MARGAY_TRY(Node fresh, Node::start(options_.dataplane, model_));
    MARGAY_TRY(const auto afresh, programmed_state());
    std::vector<std::string> only_stepwise, only_afresh;
    std::ranges::set_difference(stepwise, afresh, std::back_inserter(only_stepwise));
    std::ranges::set_difference(afresh, stepwise, std::back_inserter(only_afresh));
    if (node.program() != fresh.program()) result_.drift += "the graph's program is another one\n";
    describe_drift("stepwise", only_stepwise);
    describe_drift("afresh", only_afresh);
    return {};
  }

  void describe_drift(const char* which, const std::vector<std::string>& lines) {
    for (size_t i = 0; i < lines.size() && i < k_most_drift_lines; ++i)
      result_.drift += fmt::format("only {}: {}\n", which, lines[i]);
    if (lines.size() > k_most_drift_lines)
      result_.drift +=
          fmt::format("only {}: {} lines more\n", which, lines.size() - k_most_drift_lines);
  }

  Wire& wire_;
  const TrialOptions& options_;
  Generator generator_;
  std::mt19937_64 random_;
  Model model_;
  TrialResult result_;
};

}  // namespace

Result<TrialResult> run_trial(Wire& wire, uint64_t seed, const TrialOptions& options) {
  return Trial(wire, seed, options).run();
}

Result<std::optional<bool>> disagrees(Wire& wire, const std::string& dataplane, const Model& model,
                                      const Packet& packet) {
  const Oracle oracle(model, k_node);
  const auto expected = oracle.expect(packet);
  if (!expected) return std::nullopt;
  MARGAY_TRY(Node node, Node::start(dataplane, model));
  const Injection injection = expected->injection;
  MARGAY_TRY(const Arrivals arrivals, wire.exchange({&injection, 1}));
  return arrivals.at(0, expected->leaves_by) != (expected->verdict == Verdict::allow);
}

}  // namespace margay::differential
