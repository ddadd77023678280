#include "differential/shrink.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "policy/graph.h"
#include "policy/rule_text.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::Model;
using policy::Rule;

constexpr size_t k_most_attempts = 400;

class Shrinker {
 public:
  Shrinker(Subject& subject, Mismatch mismatch)
      : subject_(subject), smallest_(std::move(mismatch)) {}

  Result<Mismatch> run() {
    MARGAY_TRY(const bool fails, still_fails(smallest_));
    if (!fails)
      return base::fail(
          base::ErrorCode::not_found,
          "programmed afresh the model gets the right verdict; repeat it by its seed");
    for (bool smaller = true; smaller && attempts_ < k_most_attempts;) {
      smaller = false;
      MARGAY_CHECK(take_away(&Model::policies, smaller));
      MARGAY_CHECK(take_away(&Model::network_sets, smaller));
      MARGAY_CHECK(take_away(&Model::workloads, smaller));
      MARGAY_CHECK(take_away(&Model::host_endpoints, smaller));
      MARGAY_CHECK(take_away(&Model::profiles, smaller));
      MARGAY_CHECK(take_away(&Model::blocks, smaller));
      MARGAY_CHECK(take_away(&Model::pools, smaller));
      MARGAY_CHECK(take_away(&Model::hosts, smaller));
      MARGAY_CHECK(take_away(&Model::interfaces, smaller));
      MARGAY_CHECK(take_away_failsafes(&policy::Failsafes::inbound, smaller));
      MARGAY_CHECK(take_away_failsafes(&policy::Failsafes::outbound, smaller));
      MARGAY_CHECK(take_away_rules(&policy::Policy::ingress, smaller));
      MARGAY_CHECK(take_away_rules(&policy::Policy::egress, smaller));
    }
    return std::move(smallest_);
  }

 private:
  Result<bool> still_fails(const Mismatch& tried) {
    ++attempts_;
    MARGAY_TRY(const auto wrong, disagrees(subject_, tried));
    return wrong.value_or(false);
  }

  // Keeps a smaller case that still fails.
  Result<bool> attempt(Mismatch smaller) {
    MARGAY_TRY(const bool fails, still_fails(smaller));
    if (fails) smallest_ = std::move(smaller);
    return fails;
  }

  template <typename Table>
  Result<> take_away(Table Model::* table, bool& smaller) {
    const Table all = smallest_.model.*table;
    for (const auto& [key, value] : all) {
      if (attempts_ >= k_most_attempts) return {};
      Mismatch tried = smallest_;
      (tried.model.*table).erase(key);
      MARGAY_TRY(const bool kept, attempt(std::move(tried)));
      smaller |= kept;
    }
    return {};
  }

  Result<> take_away_rules(std::vector<Rule> policy::Policy::* rules, bool& smaller) {
    const auto all = smallest_.model.policies;
    for (const auto& [key, policy] : all)
      for (size_t i = (policy.*rules).size(); i-- > 0 && attempts_ < k_most_attempts;) {
        Mismatch tried = smallest_;
        auto& list = tried.model.policies.at(key).*rules;
        list.erase(list.begin() + static_cast<ptrdiff_t>(i));
        MARGAY_TRY(const bool kept, attempt(std::move(tried)));
        smaller |= kept;
      }
    return {};
  }

  Result<> take_away_failsafes(std::vector<policy::Failsafe> policy::Failsafes::* failsafes,
                               bool& smaller) {
    for (size_t i = (smallest_.settings.failsafes.*failsafes).size();
         i-- > 0 && attempts_ < k_most_attempts;) {
      Mismatch tried = smallest_;
      auto& list = tried.settings.failsafes.*failsafes;
      list.erase(list.begin() + static_cast<ptrdiff_t>(i));
      MARGAY_TRY(const bool kept, attempt(std::move(tried)));
      smaller |= kept;
    }
    return {};
  }

  Subject& subject_;
  Mismatch smallest_;
  size_t attempts_ = 0;
};

std::string describe_rules(const char* direction, const std::vector<policy::ProgramRule>& rules) {
  std::string out;
  for (const auto& rule : rules)
    out += fmt::format("      {}: {}\n", direction, policy::rule_text(rule));
  return out;
}

// The policies that a host endpoint asks, by stage.
std::string describe_host(const policy::ProgramHostEndpoint& host) {
  std::string out = fmt::format("    host endpoint {} governs [{}]{}\n", host.endpoint.key.id(),
                                fmt::join(host.interfaces, ", "),
                                host.every_other_interface ? " and all others" : "");
  for (const auto& [stage, tiers] :
       {std::pair{"doNotTrack", &host.untracked}, std::pair{"preDNAT", &host.pre_dnat},
        std::pair{"forward", &host.forward}, std::pair{"normal", &host.normal}})
    for (const auto& tier : *tiers)
      for (const auto& [direction, keys] :
           {std::pair{"ingress", &tier.ingress}, std::pair{"egress", &tier.egress}})
        for (const auto& key : *keys)
          out += fmt::format("      {} {}: {}\n", stage, direction, key.id());
  return out;
}

std::string describe_delta(const policy::Delta& delta) {
  if (const auto* set = std::get_if<policy::SetUpdate>(&delta)) {
    std::string out = fmt::format("    set {}:", set->id);
    for (const auto& member : set->members)
      out += fmt::format(" {},{}:{}", member.net.to_string(), member.protocol, member.port);
    return out + "\n";
  }
  if (const auto* policy = std::get_if<policy::PolicyUpdate>(&delta))
    return fmt::format("    policy {} in tier {}\n", policy->key.id(), policy->key.tier) +
           describe_rules("ingress", policy->rules->ingress) +
           describe_rules("egress", policy->rules->egress);
  if (const auto* profile = std::get_if<policy::ProfileUpdate>(&delta))
    return fmt::format("    profile {}\n", profile->name) +
           describe_rules("ingress", profile->rules->ingress) +
           describe_rules("egress", profile->rules->egress);
  if (const auto* workload = std::get_if<policy::WorkloadUpdate>(&delta))
    return fmt::format("    endpoint {} at {}\n", workload->workload.endpoint.key.id(),
                       workload->workload.endpoint.interface_name);
  if (const auto* host = std::get_if<policy::HostEndpointUpdate>(&delta))
    return describe_host(host->endpoint);
  return "";
}

}  // namespace

Result<Mismatch> shrink(Subject& subject, const Mismatch& mismatch) {
  return Shrinker(subject, mismatch).run();
}

std::string describe(const Mismatch& mismatch) {
  policy::Graph graph(k_node);
  for (const auto& change : mismatch.model.changes()) graph.on_change(change);
  graph.on_in_sync();
  std::string out = fmt::format("    packet {}\n", to_string(mismatch.packet));
  if (mismatch.answers) out += fmt::format("    in answer to {}\n", to_string(*mismatch.answers));
  for (const auto& delta : graph.flush()) out += describe_delta(delta);
  return out;
}

}  // namespace margay::differential
