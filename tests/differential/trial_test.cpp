// The harness itself, on a data plane that is the evaluator with a mistake put in: it must be
// found, made small, and found again from its file.

#include <gtest/gtest.h>

#include <functional>

#include "differential/case_file.h"
#include "differential/oracle.h"
#include "differential/shrink.h"
#include "differential/trial.h"
#include "policy/protocol.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::HostTrafficSettings;
using policy::Model;

// What it makes of the model and the settings that it is given.
struct Mistake {
  const char* name;
  std::function<void(Model&, HostTrafficSettings&)> make;
  size_t most_policies;  // that a smallest case has
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class MistakenSubject : public Subject {
 public:
  explicit MistakenSubject(const Mistake& mistake) : mistake_(mistake) {}

  Result<> start(const Model& model, const HostTrafficSettings& settings) override {
    told_ = model;
    settings_ = settings;
    return understand();
  }
  Result<> change(const std::vector<policy::ModelChange>& changes) override {
    for (const auto& change : changes) told_.apply(change);
    return understand();
  }
  Result<Arrivals> exchange(std::span<const Injection> batch, Flows) override {
    std::vector<std::optional<Expectation>> sent;
    Arrivals arrivals;
    for (const auto& [interface, packet, answers] : batch) {
      const auto& first = answers ? before_.at(*answers) : std::nullopt;
      sent.push_back(!answers ? oracle_->expect(packet)
                     : first  ? oracle_->expect_answer(*first)
                              : std::nullopt);
      auto& came_out = arrivals.emplace_back();
      const bool is_spoofed = sent.back() && sent.back()->injection.interface_name != interface;
      if (sent.back() && !is_spoofed && sent.back()->verdict == policy::Verdict::allow)
        came_out.push_back(sent.back()->leaves_by);
    }
    before_ = std::move(sent);
    return arrivals;
  }
  bool has_host() const override { return true; }
  const policy::ProgramState& program() const override { return program_; }
  Result<std::string> start_over(const Model&) override { return ""; }

 private:
  Result<> understand() {
    understood_ = told_;
    auto settings = settings_;
    mistake_.make(understood_, settings);
    oracle_.emplace(understood_, Oracle::Options{.has_host = true, .settings = settings});
    return {};
  }

  const Mistake& mistake_;
  Model told_, understood_;
  HostTrafficSettings settings_;
  std::optional<Oracle> oracle_;
  std::vector<std::optional<Expectation>> before_;
  policy::ProgramState program_;
};

void forget_policies(Model& model, const std::function<bool(const policy::Policy&)>& which) {
  std::erase_if(model.policies, [&](const auto& entry) { return which(entry.second); });
}

void forget_rules_before_translation(Model& model,
                                     const std::function<bool(const policy::Rule&)>& which) {
  for (auto& [key, policy] : model.policies)
    if (policy.pre_dnat) std::erase_if(policy.ingress, which);
}

void open_to_all(std::vector<policy::Failsafe>& failsafes) {
  for (auto& failsafe : failsafes) failsafe.net.reset();
}

const std::vector<Mistake> k_mistakes{
    {"no preDNAT",
     [](Model& model, auto&) {
       forget_policies(model, [](const auto& policy) { return policy.pre_dnat; });
     },
     1},
    {"preDNAT without rules for ports",
     [](Model& model, auto&) {
       forget_rules_before_translation(
           model, [](const auto& rule) { return !rule.destination.ports.empty(); });
     },
     1},
    {"preDNAT without rules for ICMP",
     [](Model& model, auto&) {
       forget_rules_before_translation(model, [](const auto& rule) {
         return rule.protocol && policy::is_icmp(*rule.protocol);
       });
     },
     2},
    {"host endpoints without names for ports",
     [](Model& model, auto&) {
       for (auto& [key, endpoint] : model.host_endpoints) endpoint.ports.clear();
     },
     2},
    {"no doNotTrack",
     [](Model& model, auto&) {
       forget_policies(model, [](const auto& policy) { return policy.do_not_track; });
     },
     2},
    {"nothing for forwarded traffic",
     [](Model& model, auto&) {
       for (auto& [key, policy] : model.policies)
         policy.apply_on_forward = policy.do_not_track || policy.pre_dnat;
     },
     1},
    {"no host endpoint for all interfaces",
     [](Model& model, auto&) {
       std::erase_if(model.host_endpoints,
                     [](const auto& entry) { return entry.second.interface_name == "*"; });
     },
     1},
    {"no host endpoint by its addresses", [](Model& model, auto&) { model.interfaces.clear(); }, 1},
    {"failsafes without their nets",
     [](Model&, HostTrafficSettings& settings) {
       open_to_all(settings.failsafes.inbound);
       open_to_all(settings.failsafes.outbound);
     },
     1},
    {"failsafes of outbound traffic left out",
     [](Model&, HostTrafficSettings& settings) { settings.failsafes.outbound.clear(); }, 1},
    {"defaultEndpointToHostAction Accept",
     [](Model&, HostTrafficSettings& settings) {
       settings.from_workload = HostTrafficSettings::FromWorkload::accept;
     },
     1}};

constexpr TrialOptions k_short{.packets = 400, .candidates = 4, .phases = 2};

class Harness : public ::testing::TestWithParam<Mistake> {};

TEST_P(Harness, FindsTheMistakeAndMakesItSmall) {
  MistakenSubject subject(GetParam());
  std::optional<Mismatch> found;
  for (uint64_t seed = 1; seed <= 200 && !found; ++seed)
    found = run_trial(subject, seed, k_short).value().first;
  ASSERT_TRUE(found);

  const auto small = shrink(subject, *found);
  ASSERT_TRUE(small) << small.error().message << ": " << found->description;
  EXPECT_LE(small->model.policies.size(), GetParam().most_policies) << describe(*small);
  EXPECT_LE(small->model.host_endpoints.size(), 1U) << describe(*small);
  EXPECT_LE(small->model.network_sets.size(), 1U) << describe(*small);

  const auto read = from_json(to_json(*small));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(disagrees(subject, *read).value(), std::optional(true));
  const Mistake none{"", [](Model&, HostTrafficSettings&) {}, 0};
  MistakenSubject right(none);
  EXPECT_EQ(disagrees(right, *read).value(), std::optional(false));
}

INSTANTIATE_TEST_SUITE_P(Mistakes, Harness, ::testing::ValuesIn(k_mistakes), [](const auto& given) {
  std::string name = given.param.name;
  std::erase_if(name, [](char c) { return !std::isalnum(c); });
  return name;
});

// Every way through the node is tried, with both verdicts where there are both.
TEST(Harness, SendsPacketsAlongEveryWay) {
  const Mistake none{"", [](Model&, HostTrafficSettings&) {}, 0};
  MistakenSubject subject(none);
  std::map<std::string, Verdicts> ways;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const auto result = run_trial(subject, seed, k_short).value();
    EXPECT_EQ(result.mismatches, 0U);
    for (const auto& [way, verdicts] : result.ways) {
      ways[way].allow += verdicts.allow;
      ways[way].deny += verdicts.deny;
    }
  }
  for (const char* from : {"host", "outside", "workload"})
    for (const char* to : {"host", "outside", "workload"})
      for (const char* kind : {"", ", translated", ", answer"}) {
        const std::string way = std::string(from) + " to " + to + kind;
        if (way.starts_with("host to host")) continue;  // never leaves it
        EXPECT_GT(ways[way].allow, 0U) << way;
        if (from == std::string("host") && to != std::string("outside")) continue;  // allowed
        if (way == "workload to host, answer") continue;  // of what the host sends
        EXPECT_GT(ways[way].deny, 0U) << way;
      }
}

}  // namespace
}  // namespace margay::differential
