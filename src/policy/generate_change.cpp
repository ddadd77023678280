#include "policy/generate.h"
#include "policy/generate_objects.h"

namespace margay::policy {
namespace {

// Makes one change to a model: to an object it has, half of the time, or to one it may not have.
class ChangeMaker {
 public:
  ChangeMaker(Random& random, const GenerateOptions& options, const Model& model)
      : random_(random), options_(options), model_(model), nodes_(vocabulary_nodes(options)) {}

  ModelChange make();

 private:
  struct Kind {
    size_t percent;
    ModelChange (ChangeMaker::*change)();
  };
  static const Kind k_kinds[];

  // The key of an object in the table, or a fresh one.
  template <typename K, typename V>
  K one_of(const std::map<K, V>& table, K fresh) {
    if (table.empty() || random_.chance(50)) return fresh;
    return std::next(table.begin(), static_cast<ptrdiff_t>(random_.below(table.size())))->first;
  }
  // The value, or its removal.
  template <typename K, typename V>
  ModelChange set_or_remove(K key, V value) {
    if (random_.chance(25)) return Change<K, V>{std::move(key), std::nullopt};
    return Change<K, V>{std::move(key), std::move(value)};
  }

  ModelChange policy() {
    const auto fresh = random_policy_key(random_, options_, random_.below(6));
    const PolicyKey key = one_of(model_.policies, fresh);
    return set_or_remove(key, random_policy(random_, options_, key));
  }
  ModelChange profile() {
    const std::string name = random_.pick(vocabulary_profiles());
    return set_or_remove(name, random_profile(random_, options_, name));
  }
  // Its address may be another's: that happens while addresses move.
  ModelChange workload() {
    const std::string node = random_.pick(nodes_);
    const WorkloadKey key = one_of(model_.workloads, workload_key(node, random_.below(6)));
    return set_or_remove(key, random_workload(random_, options_, key, random_.below(8)));
  }
  ModelChange network_set() {
    const NetworkSetKey fresh{random_.pick({"", "red"}), random_.pick({"x", "y"})};
    const NetworkSetKey key = one_of(model_.network_sets, fresh);
    return set_or_remove(key, random_network_set(random_, options_, key));
  }
  ModelChange host_endpoint() {
    const HostEndpointKey fresh{random_.pick(nodes_), random_.pick({"a", "b"})};
    const HostEndpointKey key = one_of(model_.host_endpoints, fresh);
    return set_or_remove(key, random_host_endpoint(random_, key));
  }
  ModelChange pool() {
    const std::string name = random_.pick({"pool-v4", "pool-v6", "other"});
    const Prefix cidr = random_.pick(vocabulary_pools(options_));
    return set_or_remove(name, random_pool(random_, name, cidr));
  }
  ModelChange host() {
    const size_t index = random_.below(nodes_.size());
    return set_or_remove(nodes_[index], random_host(random_, nodes_[index], index));
  }
  ModelChange block() {
    const Prefix cidr = random_.pick(vocabulary_blocks());
    return set_or_remove(cidr, random_block(random_, nodes_, cidr));
  }
  ModelChange tier() {
    const std::string name = random_.pick(vocabulary_tiers());
    return set_or_remove(name, random_tier(random_, name));
  }
  ModelChange staged_policy() {
    const auto fresh = random_policy_key(random_, options_, random_.below(6));
    const PolicyKey key = one_of(model_.policies, fresh);
    return set_or_remove(key, random_staged_policy(random_, options_, key));
  }
  ModelChange interface() {
    const std::string name = random_.pick({"eth0", "eth1", "cali0003"});
    return set_or_remove(name, random_interface(random_, name));
  }
  ModelChange service() {
    const Service service = random_service(random_, random_.below(4));
    return set_or_remove(service.key, service);
  }
  ModelChange slice() {
    const EndpointSlice slice = random_slice(random_, nodes_, random_.below(4));
    return set_or_remove(slice.key, slice);
  }

  Random& random_;
  const GenerateOptions& options_;
  const Model& model_;
  const std::vector<std::string> nodes_;
};

const ChangeMaker::Kind ChangeMaker::k_kinds[] = {
    {22, &ChangeMaker::policy},       {9, &ChangeMaker::profile},
    {18, &ChangeMaker::workload},     {8, &ChangeMaker::network_set},
    {8, &ChangeMaker::host_endpoint}, {5, &ChangeMaker::pool},
    {6, &ChangeMaker::host},          {6, &ChangeMaker::block},
    {3, &ChangeMaker::interface},     {5, &ChangeMaker::service},
    {4, &ChangeMaker::slice},         {2, &ChangeMaker::staged_policy},
};

ModelChange ChangeMaker::make() {
  size_t roll = random_.below(100);
  for (const auto& [percent, change] : k_kinds) {
    if (roll < percent) return (this->*change)();
    roll -= percent;
  }
  return tier();
}

}  // namespace

ModelChange Generator::change(const Model& model) {
  return ChangeMaker(random_, options_, model).make();
}

}  // namespace margay::policy
