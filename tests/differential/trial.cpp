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
constexpr size_t k_one_answered_in = 4;

// As the wire needs it. The workloads' MAC addresses are those of the far ends. Where there is no
// host nothing governs its interfaces.
policy::ModelChange for_the_wire(policy::ModelChange change, bool has_host) {
  using Host = policy::Change<policy::HostEndpointKey, policy::HostEndpoint>;
  if (auto* host = std::get_if<Host>(&change); host && host->value && !has_host)
    host->value->interface_name = "elsewhere";
  using Workload = policy::Change<policy::WorkloadKey, policy::WorkloadEndpoint>;
  if (auto* workload = std::get_if<Workload>(&change); workload && workload->value)
    if (const auto& name = workload->value->interface_name; !name.empty())
      workload->value->mac = workload_mac(name).to_string();
  return change;
}

Model for_the_wire(const Model& generated, bool has_host) {
  Model model;
  for (auto& change : generated.changes()) model.apply(for_the_wire(std::move(change), has_host));
  return model;
}

const char* to_string(std::optional<Verdict> verdict) {
  return !verdict ? "goes on" : *verdict == Verdict::allow ? "allow" : "deny";
}

// What the program says at each step of the evaluator's.
std::string interpreted(const policy::ProgramState& program, const Oracle& oracle,
                        const Expectation& expected) {
  std::string out;
  const auto& [node, packet, original, in, from, out_by, to] = expected.passage;
  const auto add = [&](const policy::WorkloadEndpoint* endpoint, Direction direction) {
    if (endpoint == nullptr || !program.workloads.contains(endpoint->key)) return;
    out += fmt::format(" {} {}", direction == Direction::egress ? "egress" : "ingress",
                       to_string(policy::interpret(program, endpoint->key, direction, packet)));
  };
  add(from, Direction::egress);
  for (const auto& said : oracle.judge(expected).host) {
    if (!said.stage || !program.host_endpoints.contains(said.endpoint)) continue;
    const bool is_early = *said.stage < policy::Stage::forward;
    out +=
        fmt::format(" {} {}", said.endpoint.name,
                    to_string(policy::interpret(program, said.endpoint, *said.stage, said.direction,
                                                is_early ? expected.injection.packet : packet)));
  }
  add(to, Direction::ingress);
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
        generator_(seed, {.node = k_node,
                          .workloads = options.workloads,
                          .global_policies = subject.has_host() ? 60U : 25U,
                          .early_policies = subject.has_host() ? 40U : 15U,
                          .floating_ips = false}),
        random_(seed ^ 0x9e3779b97f4a7c15U) {}

  Result<TrialResult> run() {
    model_ = for_the_wire(generator_.model(), subject_.has_host());
    if (subject_.has_host()) settings_ = generator_.settings();
    MARGAY_CHECK(subject_.start(model_, settings_));
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
      changes.push_back(for_the_wire(generator_.change(model_), subject_.has_host()));
      model_.apply(changes.back());
    }
    return subject_.change(changes);
  }

  Result<> judge(size_t count) {
    const Oracle oracle(model_, {.has_host = subject_.has_host(), .settings = settings_});
    if (oracle.endpoints().empty() && !subject_.has_host()) return {};
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
    return subject_.has_host() ? judge_answers(oracle, expected, arrivals) : Result<>{};
  }

  Result<> judge_answers(const Oracle& oracle, const std::vector<Expectation>& first,
                         const Arrivals& first_arrivals) {
    std::vector<Expectation> expected;
    std::vector<Injection> batch;
    for (size_t i = 0; i < first.size(); ++i) {
      if (below(k_one_answered_in) > 0 || !is_right(subject_, first_arrivals[i], first[i]))
        continue;
      auto answer = oracle.expect_answer(first[i]);
      if (!answer) continue;
      answer->injection.answers = i;
      batch.push_back(answer->injection);
      expected.push_back(std::move(*answer));
    }
    MARGAY_TRY(const Arrivals arrivals, subject_.exchange(batch, Flows::kept));
    for (size_t i = 0; i < expected.size(); ++i)
      compare(oracle, expected[i], arrivals[i],
              first[*expected[i].injection.answers].injection.packet);
    return {};
  }

  void compare(const Oracle& oracle, const Expectation& expected,
               const std::vector<std::string>& arrivals, std::optional<Packet> answers = {}) {
    auto& [allow, deny] = result_.ways[way_of(expected)];
    ++(expected.verdict == Verdict::allow ? allow : deny);
    if (is_right(subject_, arrivals, expected)) return;
    ++result_.mismatches;
    if (result_.first) return;
    const auto& packet = expected.injection.packet;
    result_.first = Mismatch{
        .model = model_,
        .settings = settings_,
        .packet = packet,
        .answers = answers,
        .expected = expected.verdict,
        .description = fmt::format(
            "{}{} from {} to {}: came out of [{}]; the evaluator says {}; the program says{}",
            to_string(packet), answers ? " in answer to " + to_string(*answers) : "",
            expected.injection.interface_name, expected.leaves_by, fmt::join(arrivals, ", "),
            oracle.explain(expected).why, interpreted(subject_.program(), oracle, expected))};
  }

  Subject& subject_;
  const TrialOptions& options_;
  Generator generator_;
  std::mt19937_64 random_;
  Model model_;
  policy::HostTrafficSettings settings_;
  TrialResult result_;
};

}  // namespace

Result<TrialResult> run_trial(Subject& subject, uint64_t seed, const TrialOptions& options) {
  return Trial(subject, seed, options).run();
}

Result<std::optional<bool>> disagrees(Subject& subject, const Mismatch& mismatch) {
  const Oracle oracle(mismatch.model,
                      {.has_host = subject.has_host(), .settings = mismatch.settings});
  auto expected = oracle.expect(mismatch.answers.value_or(mismatch.packet));
  if (!expected) return std::nullopt;
  MARGAY_CHECK(subject.start(mismatch.model, mismatch.settings));
  MARGAY_TRY(Arrivals arrivals, subject.exchange({&expected->injection, 1}));
  if (mismatch.answers) {
    if (!is_right(subject, arrivals[0], *expected)) return true;
    expected = oracle.expect_answer(*expected);
    if (!expected) return std::nullopt;
    expected->injection.answers = 0;
    MARGAY_TRY(arrivals, subject.exchange({&expected->injection, 1}, Flows::kept));
  }
  return !is_right(subject, arrivals[0], *expected);
}

}  // namespace margay::differential
