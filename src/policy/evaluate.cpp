#include "policy/evaluate.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <unordered_map>

#include "policy/membership.h"
#include "policy/order.h"
#include "policy/protocol.h"
#include "policy/rule_match.h"

namespace margay::policy {
namespace {

const std::vector<Rule>& rules_of(const auto& source, Direction direction) {
  return direction == Direction::ingress ? source.ingress : source.egress;
}

bool applies(const Policy& policy, Stage stage, Direction direction) {
  if (direction == Direction::ingress) return policy.applies_ingress;
  return policy.applies_egress && stage != Stage::pre_dnat;
}

// Pass decides only inside a tier; a profile's Pass has nothing to leave, and denies.
Verdict verdict_of(Action action) {
  return action == Action::allow ? Verdict::allow : Verdict::deny;
}

}  // namespace

std::string to_string(const Packet& packet) {
  return fmt::format("{}:{} -> {}:{} {} type {} code {}", packet.source.to_string(),
                     packet.source_port, packet.destination.to_string(), packet.destination_port,
                     protocol_name(packet.protocol), packet.icmp_type, packet.icmp_code);
}

Labels effective_labels(const Model& model, const Labels& own,
                        const std::vector<std::string>& profiles) {
  Labels labels = own;
  for (const std::string& name : profiles)
    if (const Profile* profile = find_profile(model, name))
      labels.insert(profile->labels_to_apply.begin(), profile->labels_to_apply.end());
  return labels;
}

class Evaluator::Impl {
 public:
  explicit Impl(const Model& model) : model_(model) {
    for (const auto& [key, endpoint] : model.workloads) applicable_.try_emplace(&endpoint);
  }

  Decision evaluate(const WorkloadEndpoint& endpoint, Direction direction, const Packet& packet,
                    std::vector<Step>* trace);
  std::optional<Decision> evaluate(const HostEndpoint& endpoint, Stage stage, Direction direction,
                                   const Packet& packet, std::vector<Step>* trace);
  std::string_view first_mismatch(const Rule& rule, const Packet& packet);
  using Policies = std::vector<const Policy*>;
  // Until the next call.
  const Policies& applicable_policies(const WorkloadEndpoint& endpoint, Direction direction);
  const WorkloadEndpoint* endpoint_of(const IPAddress& address);

 private:
  // The first rule but Log that matches. Adds a step for each rule looked at to the trace, as
  // `make_step()` with the rule filled in.
  std::optional<size_t> deciding_rule(const std::vector<Rule>& rules, const Packet& packet,
                                      const auto& make_step, std::vector<Step>* trace);
  // One tier after another. Nothing when all pass.
  std::optional<Decision> ask_tiers(const Policies& policies, Stage stage, Direction direction,
                                    const Packet& packet, std::vector<Step>* trace);
  // Nothing when the tier passes.
  std::optional<Decision> ask_tier(std::span<const Policy* const> policies, Stage stage,
                                   Direction direction, const Packet& packet,
                                   std::vector<Step>* trace);
  Decision ask_profiles(const std::vector<std::string>& profiles, Direction direction,
                        const Packet& packet, std::vector<Step>* trace);
  // Those of a stage that apply to an endpoint in a direction, in order.
  Policies choose_policies(const auto& endpoint, Stage stage, Direction direction);
  const Policies& policies_in_order();

  const Model& model_;
  std::optional<Membership> membership_;
  std::optional<Policies> policies_;  // all, in order
  // By endpoint and direction; of the model's own endpoints.
  std::unordered_map<const WorkloadEndpoint*, std::map<Direction, Policies>> applicable_;
  Policies of_another_;  // of an endpoint that is not the model's
  using ByAddress = std::unordered_map<IPAddress, const WorkloadEndpoint*, base::AddressHash>;
  std::optional<ByAddress> by_address_;
};

std::string_view Evaluator::Impl::first_mismatch(const Rule& rule, const Packet& packet) {
  if (!membership_) membership_.emplace(model_);
  return policy::first_mismatch(rule, packet, *membership_);
}

std::optional<size_t> Evaluator::Impl::deciding_rule(const std::vector<Rule>& rules,
                                                     const Packet& packet, const auto& make_step,
                                                     std::vector<Step>* trace) {
  if (trace && rules.empty()) trace->push_back(make_step());
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string_view mismatch = first_mismatch(rules[i], packet);
    if (trace) {
      Step& looked_at = trace->emplace_back(make_step());
      looked_at.rule = i;
      looked_at.matched = mismatch.empty();
      looked_at.action = rules[i].action;
      looked_at.mismatch = mismatch;
    }
    if (mismatch.empty() && rules[i].action != Action::log) return i;
  }
  return std::nullopt;
}

Decision Evaluator::Impl::evaluate(const WorkloadEndpoint& endpoint, Direction direction,
                                   const Packet& packet, std::vector<Step>* trace) {
  if (!endpoint.admin_up) return {.verdict = Verdict::deny, .by = Decision::By::endpoint_down};
  const Policies& policies = applicable_policies(endpoint, direction);
  if (const auto decision = ask_tiers(policies, Stage::normal, direction, packet, trace))
    return *decision;
  return ask_profiles(endpoint.profiles, direction, packet, trace);
}

std::optional<Decision> Evaluator::Impl::evaluate(const HostEndpoint& endpoint, Stage stage,
                                                  Direction direction, const Packet& packet,
                                                  std::vector<Step>* trace) {
  const Policies policies = choose_policies(endpoint, stage, direction);
  if (const auto decision = ask_tiers(policies, stage, direction, packet, trace)) return decision;
  if (stage != Stage::normal) return std::nullopt;
  return ask_profiles(endpoint.profiles, direction, packet, trace);
}

std::optional<Decision> Evaluator::Impl::ask_tiers(const Policies& policies, Stage stage,
                                                   Direction direction, const Packet& packet,
                                                   std::vector<Step>* trace) {
  // A tier's policies are neighbours in the order of consultation.
  for (auto begin = policies.begin(); begin != policies.end();) {
    const auto end = std::find_if(begin, policies.end(), [&](const Policy* policy) {
      return policy->key.tier != (*begin)->key.tier;
    });
    if (auto decision = ask_tier({begin, end}, stage, direction, packet, trace)) return decision;
    begin = end;
  }
  return std::nullopt;
}

std::optional<Decision> Evaluator::Impl::ask_tier(std::span<const Policy* const> policies,
                                                  Stage stage, Direction direction,
                                                  const Packet& packet, std::vector<Step>* trace) {
  const std::string& tier = policies.front()->key.tier;
  for (const Policy* policy : policies) {
    const std::vector<Rule>& rules = rules_of(*policy, direction);
    const auto step = [&] { return Step{.tier = tier, .policy = policy->key}; };
    const auto rule = deciding_rule(rules, packet, step, trace);
    if (!rule) continue;
    if (rules[*rule].action == Action::pass) return std::nullopt;
    return Decision{.verdict = verdict_of(rules[*rule].action),
                    .by = Decision::By::policy_rule,
                    .tier = tier,
                    .policy = policy->key,
                    .rule = *rule};
  }
  if (!has_end_of_tier(stage)) return std::nullopt;
  const auto known = model_.tiers.find(tier);
  if (known != model_.tiers.end() && known->second.default_action == Action::pass)
    return std::nullopt;
  return Decision{.by = Decision::By::end_of_tier, .tier = tier, .policy = policies.back()->key};
}

Decision Evaluator::Impl::ask_profiles(const std::vector<std::string>& profiles,
                                       Direction direction, const Packet& packet,
                                       std::vector<Step>* trace) {
  for (const std::string& name : profiles) {
    const Profile* profile = find_profile(model_, name);
    if (profile == nullptr) continue;
    const std::vector<Rule>& rules = rules_of(*profile, direction);
    const auto step = [&] { return Step{.profile = name}; };
    if (const auto rule = deciding_rule(rules, packet, step, trace))
      return {.verdict = verdict_of(rules[*rule].action),
              .by = Decision::By::profile_rule,
              .profile = name,
              .rule = *rule};
  }
  return {.verdict = Verdict::deny, .by = Decision::By::no_profile_matched};
}

const Evaluator::Impl::Policies& Evaluator::Impl::policies_in_order() {
  if (policies_) return *policies_;
  std::vector<std::tuple<Rank, Rank, const Policy*>> ranked;
  for (const auto& [key, policy] : model_.policies)
    ranked.emplace_back(rank_of_tier(model_.tiers, key.tier), rank_of(key, policy.order), &policy);
  std::ranges::sort(ranked);
  policies_.emplace();
  for (const auto& entry : ranked) policies_->push_back(std::get<const Policy*>(entry));
  return *policies_;
}

Evaluator::Impl::Policies Evaluator::Impl::choose_policies(const auto& endpoint, Stage stage,
                                                           Direction direction) {
  const Labels labels = effective_labels(model_, endpoint.labels, endpoint.profiles);
  Policies applicable;
  for (const Policy* policy : policies_in_order())
    if (belongs_to(*policy, stage) && applies(*policy, stage, direction) &&
        policy->selector.matches(labels))
      applicable.push_back(policy);
  return applicable;
}

const Evaluator::Impl::Policies& Evaluator::Impl::applicable_policies(
    const WorkloadEndpoint& endpoint, Direction direction) {
  const auto own = applicable_.find(&endpoint);
  if (own == applicable_.end())
    return of_another_ = choose_policies(endpoint, Stage::normal, direction);
  const auto [found, is_new] = own->second.try_emplace(direction);
  if (is_new) found->second = choose_policies(endpoint, Stage::normal, direction);
  return found->second;
}

const WorkloadEndpoint* Evaluator::Impl::endpoint_of(const IPAddress& address) {
  if (!by_address_) {
    by_address_.emplace();
    for (const auto& [key, endpoint] : model_.workloads)
      for (const IPAddress& own : endpoint.addresses) by_address_->try_emplace(own, &endpoint);
  }
  const auto found = by_address_->find(address);
  return found == by_address_->end() ? nullptr : found->second;
}

Evaluator::Evaluator(const Model& model) : impl_(std::make_unique<Impl>(model)) {}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;

Decision Evaluator::evaluate(const WorkloadEndpoint& endpoint, Direction direction,
                             const Packet& packet, std::vector<Step>* trace) const {
  return impl_->evaluate(endpoint, direction, packet, trace);
}

std::optional<Decision> Evaluator::evaluate(const HostEndpoint& endpoint, Stage stage,
                                            Direction direction, const Packet& packet,
                                            std::vector<Step>* trace) const {
  return impl_->evaluate(endpoint, stage, direction, packet, trace);
}

bool Evaluator::matches(const Rule& rule, const Packet& packet, std::string* mismatch) const {
  const std::string_view field = impl_->first_mismatch(rule, packet);
  if (mismatch && !field.empty()) *mismatch = field;
  return field.empty();
}

std::vector<const Policy*> Evaluator::applicable_policies(const WorkloadEndpoint& endpoint,
                                                          Direction direction) const {
  return impl_->applicable_policies(endpoint, direction);
}

const WorkloadEndpoint* Evaluator::endpoint_of(const IPAddress& address) const {
  return impl_->endpoint_of(address);
}

Decision evaluate(const Model& model, const WorkloadEndpoint& endpoint, Direction direction,
                  const Packet& packet, std::vector<Step>* trace) {
  return Evaluator(model).evaluate(endpoint, direction, packet, trace);
}

bool matches(const Model& model, const Rule& rule, const Packet& packet, std::string* mismatch) {
  return Evaluator(model).matches(rule, packet, mismatch);
}

std::vector<const Policy*> applicable_policies(const Model& model, const WorkloadEndpoint& endpoint,
                                               Direction direction) {
  return Evaluator(model).applicable_policies(endpoint, direction);
}

const WorkloadEndpoint* endpoint_of(const Model& model, const IPAddress& address) {
  return Evaluator(model).endpoint_of(address);
}

}  // namespace margay::policy
