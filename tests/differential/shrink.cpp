#include "differential/shrink.h"

#include <fmt/format.h>

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
    MARGAY_TRY(const bool fails, still_fails(smallest_.model));
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
      MARGAY_CHECK(take_away_rules(&policy::Policy::ingress, smaller));
      MARGAY_CHECK(take_away_rules(&policy::Policy::egress, smaller));
    }
    return std::move(smallest_);
  }

 private:
  Result<bool> still_fails(const Model& model) {
    ++attempts_;
    MARGAY_TRY(const auto wrong, disagrees(subject_, model, smallest_.packet));
    return wrong.value_or(false);
  }

  // Keeps a smaller model that still fails.
  Result<bool> attempt(Model model) {
    MARGAY_TRY(const bool fails, still_fails(model));
    if (fails) smallest_.model = std::move(model);
    return fails;
  }

  template <typename Table>
  Result<> take_away(Table Model::* table, bool& smaller) {
    const Table all = smallest_.model.*table;
    for (const auto& [key, value] : all) {
      if (attempts_ >= k_most_attempts) return {};
      Model model = smallest_.model;
      (model.*table).erase(key);
      MARGAY_TRY(const bool kept, attempt(std::move(model)));
      smaller |= kept;
    }
    return {};
  }

  Result<> take_away_rules(std::vector<Rule> policy::Policy::* rules, bool& smaller) {
    const auto all = smallest_.model.policies;
    for (const auto& [key, policy] : all)
      for (size_t i = (policy.*rules).size(); i-- > 0 && attempts_ < k_most_attempts;) {
        Model model = smallest_.model;
        auto& list = model.policies.at(key).*rules;
        list.erase(list.begin() + static_cast<ptrdiff_t>(i));
        MARGAY_TRY(const bool kept, attempt(std::move(model)));
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

}  // namespace

Result<Mismatch> shrink(Subject& subject, const Mismatch& mismatch) {
  return Shrinker(subject, mismatch).run();
}

std::string describe(const Mismatch& mismatch) {
  policy::Graph graph(k_node);
  for (const auto& change : mismatch.model.changes()) graph.on_change(change);
  graph.on_in_sync();
  std::string out = fmt::format("    packet {}\n", to_string(mismatch.packet));
  for (const auto& delta : graph.flush()) {
    if (const auto* set = std::get_if<policy::SetUpdate>(&delta)) {
      out += fmt::format("    set {}:", set->id);
      for (const auto& member : set->members)
        out += fmt::format(" {},{}:{}", member.net.to_string(), member.protocol, member.port);
      out += "\n";
    } else if (const auto* policy = std::get_if<policy::PolicyUpdate>(&delta)) {
      out += fmt::format("    policy {} in tier {}\n", policy->key.id(), policy->key.tier) +
             describe_rules("ingress", policy->rules->ingress) +
             describe_rules("egress", policy->rules->egress);
    } else if (const auto* profile = std::get_if<policy::ProfileUpdate>(&delta)) {
      out += fmt::format("    profile {}\n", profile->name) +
             describe_rules("ingress", profile->rules->ingress) +
             describe_rules("egress", profile->rules->egress);
    } else if (const auto* workload = std::get_if<policy::WorkloadUpdate>(&delta)) {
      out += fmt::format("    endpoint {} at {}\n", workload->workload.endpoint.key.id(),
                         workload->workload.endpoint.interface_name);
    }
  }
  return out;
}

}  // namespace margay::differential
