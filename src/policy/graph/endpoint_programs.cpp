#include "policy/graph/endpoint_programs.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace margay::policy {
namespace {

std::string index_id(const PolicyKey& key) { return key.tier + "/" + key.id(); }
std::string index_id(const WorkloadKey& key) { return "workload/" + key.id(); }
std::string index_id(const HostEndpointKey& key) { return "host/" + key.id(); }

void append_keys(std::vector<PolicyKey>& keys, const std::vector<ProgramTier>& tiers) {
  for (const ProgramTier& tier : tiers)
    for (const auto* direction : {&tier.ingress, &tier.egress})
      keys.insert(keys.end(), direction->begin(), direction->end());
}

}  // namespace

EndpointPrograms::EndpointPrograms(ActiveRules<PolicyKey>& policies,
                                   ActiveRules<std::string>& profiles,
                                   const NamespaceShares& shares)
    : policy_rules_(policies),
      profile_rules_(profiles),
      shares_(shares),
      index_({.match_started =
                  [this](Number policy, Number endpoint) {
                    endpoints_.at(endpoint).policies.insert(policy);
                    ++policies_[policy].endpoints;
                    moved_.insert(policies_[policy].standing.key);
                    changed_.insert(endpoint);
                  },
              .match_stopped =
                  [this](Number policy, Number endpoint) {
                    endpoints_.at(endpoint).policies.erase(policy);
                    --policies_[policy].endpoints;
                    moved_.insert(policies_[policy].standing.key);
                    changed_.insert(endpoint);
                  }}) {}

EndpointPrograms::~EndpointPrograms() = default;

void EndpointPrograms::set_tier(const std::string& name, const Tier& tier) {
  tiers_.insert_or_assign(name, tier);
  for (const auto& [id, record] : endpoints_) changed_.insert(id);
}

void EndpointPrograms::remove_tier(const std::string& name) {
  tiers_.erase(name);
  for (const auto& [id, record] : endpoints_) changed_.insert(id);
}

void EndpointPrograms::set_policy(const Policy& policy) {
  const std::string id = index_id(policy.key);
  const auto known = policy_ids_.find(id);
  const Number number = known ? *known : policy_ids_.acquire(id);
  if (number == policies_.size()) policies_.emplace_back();
  PolicyStanding standing = standing_of(policy);
  if (known && policies_[number].standing != standing) {
    for (const Number endpoint : index_.matches(number)) changed_.insert(endpoint);
    moved_.insert(policy.key);
  }
  policies_[number].standing = std::move(standing);
  policies_[number].rank = rank_of(policy.key, policy.order);
  policies_[number].is_closed = !shares_.has_share(policy.key);
  index_.set_selector(number, policy.selector);
}

void EndpointPrograms::remove_policy(const PolicyKey& key) {
  const auto known = policy_ids_.find(index_id(key));
  if (!known) return;
  index_.remove_selector(*known);
  policies_[*known] = {};
  policy_ids_.release(*known);
  moved_.insert(key);
}

std::map<PolicyKey, size_t> EndpointPrograms::take_places() {
  std::map<PolicyKey, size_t> places;
  for (const PolicyKey& key : std::exchange(moved_, {})) {
    size_t& count = places[key];
    if (const auto number = policy_ids_.find(index_id(key))) {
      const auto& [standing, rank, endpoints, is_closed] = policies_[*number];
      count = endpoints * (size_t{standing.applies_ingress} + size_t{standing.applies_egress});
    }
  }
  return places;
}

void EndpointPrograms::touch(const PolicyKey& key) {
  const auto number = policy_ids_.find(index_id(key));
  if (!number) return;
  policies_[*number].is_closed = !shares_.has_share(key);
  for (const Number endpoint : index_.matches(*number)) changed_.insert(endpoint);
}

void EndpointPrograms::set_profile_labels(const std::string& profile, const Labels& labels) {
  index_.set_parent(profile, labels);
}

void EndpointPrograms::remove_profile_labels(const std::string& profile) {
  index_.remove_parent(profile);
}

void EndpointPrograms::set_endpoint(const WorkloadEndpoint& endpoint) {
  const std::string id = index_id(endpoint.key);
  workload_count_ += endpoint_ids_.find(id) ? 0 : 1;
  set(id, endpoint, endpoint.labels, endpoint.profiles);
}

void EndpointPrograms::set_endpoint(const GoverningHostEndpoint& governing) {
  const HostEndpoint& endpoint = governing.endpoint;
  set(index_id(endpoint.key), governing, endpoint.labels, endpoint.profiles);
}

void EndpointPrograms::remove_endpoint(const WorkloadKey& key) {
  workload_count_ -= remove(index_id(key)) ? 1 : 0;
  workloads_.erase(key);
}

void EndpointPrograms::remove_endpoint(const HostEndpointKey& key) {
  remove(index_id(key));
  host_endpoints_.erase(key);
}

void EndpointPrograms::set(const std::string& id,
                           std::variant<WorkloadEndpoint, GoverningHostEndpoint> endpoint,
                           const Labels& labels, const std::vector<std::string>& profiles) {
  const auto known = endpoint_ids_.find(id);
  const Number number = known ? *known : endpoint_ids_.acquire(id);
  endpoints_[number].endpoint = std::move(endpoint);
  changed_.insert(number);
  index_.set_item(number, labels, profiles);
}

bool EndpointPrograms::remove(const std::string& id) {
  const auto number = endpoint_ids_.find(id);
  if (!number) return false;
  index_.remove_item(*number);
  hold(endpoints_.at(*number), {}, {});
  endpoints_.erase(*number);
  changed_.erase(*number);
  endpoint_ids_.release(*number);
  return true;
}

void EndpointPrograms::resolve() {
  for (const Number number : std::exchange(changed_, {})) resolve(endpoints_.at(number));
}

void EndpointPrograms::resolve(EndpointRecord& record) {
  const auto policies = reached_policies(record);
  std::vector<PolicyKey> named;
  const auto stage = [&](Stage which) {
    auto tiers = arrange(policies, which, tiers_);
    for (ProgramTier& tier : tiers) {
      leave_out_unreached(tier.ingress);
      leave_out_unreached(tier.egress);
    }
    append_keys(named, tiers);
    return tiers;
  };
  std::vector<std::string> profiles;
  if (const auto* workload = std::get_if<WorkloadEndpoint>(&record.endpoint)) {
    workloads_.set(workload->key, {*workload, stage(Stage::normal)});
    profiles = workload->profiles;
  } else {
    const auto& [host, interfaces, every_other] = std::get<GoverningHostEndpoint>(record.endpoint);
    // `*` takes no part in policy before connection tracking.
    host_endpoints_.set(
        host.key, {.endpoint = host,
                   .interfaces = interfaces,
                   .every_other_interface = every_other,
                   .untracked = every_other ? std::vector<ProgramTier>() : stage(Stage::untracked),
                   .pre_dnat = stage(Stage::pre_dnat),
                   .forward = stage(Stage::forward),
                   .normal = stage(Stage::normal)});
    profiles = host.profiles;
  }
  hold(record, std::move(named), std::move(profiles));
}

// Of those without a share in a tier only the first is asked: it denies.
std::vector<const PolicyStanding*> EndpointPrograms::reached_policies(
    const EndpointRecord& record) const {
  using Place = std::tuple<std::string_view, bool, bool, bool, bool, bool>;
  std::map<Place, const PolicyRecord*> closed;
  std::vector<const PolicyStanding*> reached;
  for (const Number number : record.policies) {
    const PolicyRecord& policy = policies_[number];
    const auto& p = policy.standing;
    if (!policy.is_closed) {
      reached.push_back(&p);
      continue;
    }
    const PolicyRecord*& first = closed[{p.key.tier, p.applies_ingress, p.applies_egress,
                                         p.do_not_track, p.pre_dnat, p.apply_on_forward}];
    if (!first || policy.rank < first->rank) first = &policy;
  }
  for (const auto& [place, first] : closed) reached.push_back(&first->standing);
  return reached;
}

void EndpointPrograms::leave_out_unreached(std::vector<PolicyKey>& policies) const {
  const auto closed = std::ranges::find_if(
      policies, [this](const PolicyKey& key) { return !shares_.has_share(key); });
  if (closed != policies.end()) policies.erase(closed + 1, policies.end());
}

void EndpointPrograms::hold(EndpointRecord& record, std::vector<PolicyKey> policies,
                            std::vector<std::string> profiles) {
  // First the new, then the old: what is in both is never without a user.
  for (const PolicyKey& key : policies) policy_rules_.acquire(key);
  for (const std::string& name : profiles) profile_rules_.acquire(name);
  for (const PolicyKey& key : record.held_policies) policy_rules_.release(key);
  for (const std::string& name : record.held_profiles) profile_rules_.release(name);
  record.held_policies = std::move(policies);
  record.held_profiles = std::move(profiles);
}

}  // namespace margay::policy
