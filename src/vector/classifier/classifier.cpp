#include "vector/classifier/classifier.h"

#include "policy/digest.h"
#include "policy/rule_text.h"

namespace margay::vector {

using policy::Direction;

namespace {

constexpr size_t k_rule_id_length = 16;  // as policy/compile_rules.h gives them

}  // namespace

struct Classifier::ListKey {
  struct Tier {
    std::string name;
    std::vector<Part*> policies;  // at least one
    policy::Action default_action;
    auto operator<=>(const Tier&) const = default;
  };
  Direction direction = Direction::ingress;
  std::vector<Tier> tiers;
  std::vector<Part*> profiles;

  auto operator<=>(const ListKey&) const = default;
  void each_part(auto visit) const {
    for (const Tier& tier : tiers)
      for (Part* part : tier.policies) visit(part);
    for (Part* part : profiles) visit(part);
  }
};

struct Classifier::List {
  const ListKey* key = nullptr;
  size_t endpoints = 0;
  std::shared_ptr<CompiledRuleList> compiled;
};

// A rule of a list, or an end, before it is compiled.
struct Classifier::Line {
  const ResolvedRule* resolved;  // null: an end
  DecidedBy by;
  policy::Action action;
  std::shared_ptr<const std::string> place;
  std::string end_id;  // of an end
  uint32_t resume;
  const std::string& id() const { return resolved ? resolved->rule.id : end_id; }
};

struct Classifier::EndpointTable {
  std::vector<EndpointRules> endpoints;
  std::vector<std::shared_ptr<CompiledRuleList>> lists;  // that they point to
};

struct Classifier::Snapshot : PolicySnapshot {
  std::shared_ptr<const EndpointTable> table;
};

Classifier::Classifier(Rcu& rcu)
    : rcu_(rcu), atoms_(rcu), view_(atoms_), passed_(std::make_shared<uint64_t>(0)) {
  publish(0);
}

Classifier::~Classifier() = default;

// ---- deltas ------------------------------------------------------------------------------------

class Classifier::Applier {
 public:
  explicit Applier(Classifier& classifier) : c_(classifier) {}

  void operator()(const policy::SetUpdate& update) {
    c_.changed_ = true;
    if (c_.atoms_.update(update)) c_.distrust(update.id);
  }
  void operator()(const policy::SetDelta& delta) {
    c_.changed_ = true;
    c_.atoms_.apply(delta);
  }
  void operator()(const policy::SetRemove& remove) {
    c_.changed_ = true;
    if (c_.atoms_.remove(remove.id)) c_.distrust(remove.id);
  }
  void operator()(const policy::PolicyUpdate& u) { set_policy(u.key, u.rules); }
  void operator()(const policy::PolicyRemove& r) { set_policy(r.key, nullptr); }
  void operator()(const policy::ProfileUpdate& u) { set_profile(u.name, u.rules); }
  void operator()(const policy::ProfileRemove& r) { set_profile(r.name, nullptr); }
  void operator()(const policy::WorkloadUpdate& update);
  void operator()(const policy::WorkloadRemove& remove);
  void operator()(const auto&) {}  // not policy of workloads

 private:
  void set_policy(const policy::PolicyKey& key, const RulePart::Rules& rules) {
    for (const Direction direction : {Direction::ingress, Direction::egress})
      c_.set_rules({false, key, direction}, rules);
  }
  void set_profile(const std::string& name, const RulePart::Rules& rules) {
    for (const Direction direction : {Direction::ingress, Direction::egress})
      c_.set_rules(RulePartKey::profile(name, direction), rules);
  }

  Classifier& c_;
};

void Classifier::apply(const policy::Delta& delta) { std::visit(Applier(*this), delta); }

void Classifier::Applier::operator()(const policy::WorkloadUpdate& update) {
  const auto [found, is_new] = c_.endpoints_.try_emplace(update.workload.endpoint.key);
  Endpoint& endpoint = found->second;
  if (is_new) {
    endpoint.number = static_cast<uint32_t>(c_.by_number_.size());
    if (c_.free_endpoints_.empty()) {
      c_.by_number_.push_back(nullptr);
    } else {
      endpoint.number = c_.free_endpoints_.back();
      c_.free_endpoints_.pop_back();
    }
    c_.by_number_[endpoint.number] = &endpoint;
  }
  const Endpoint old = endpoint;
  endpoint.is_up = update.workload.endpoint.admin_up;
  // First the new lists, so that what both share stays.
  endpoint.ingress = c_.use_list(update.workload, Direction::ingress);
  endpoint.egress = c_.use_list(update.workload, Direction::egress);
  c_.drop_list(old.ingress);
  c_.drop_list(old.egress);
  if (is_new || old.is_up != endpoint.is_up || old.ingress != endpoint.ingress ||
      old.egress != endpoint.egress)
    c_.changed_ = c_.endpoints_changed_ = true;
}

void Classifier::Applier::operator()(const policy::WorkloadRemove& remove) {
  const auto found = c_.endpoints_.find(remove.key);
  if (found == c_.endpoints_.end()) return;
  const Endpoint old = found->second;
  c_.by_number_[old.number] = nullptr;
  c_.endpoints_.erase(found);
  c_.drop_list(old.ingress);
  c_.drop_list(old.egress);
  c_.retire([&c = c_, number = old.number] { c.free_endpoints_.push_back(number); });
  c_.changed_ = c_.endpoints_changed_ = true;
}

void Classifier::set_rules(const RulePartKey& key, RulePart::Rules rules) {
  Part* const changed = part(key);
  if (changed->rules.set_rules(std::move(rules)) && !changed->users.empty()) {
    changed_ = true;
    dirty_.insert(changed->users.begin(), changed->users.end());
  }
  forget_if_unused(changed);
}

void Classifier::distrust(const std::string& set) {
  for (auto& [key, part] : parts_) {
    if (part.users.empty() || !part.rules.names_set(set)) continue;
    part.rules.distrust();
    dirty_.insert(part.users.begin(), part.users.end());
  }
}

auto Classifier::use_list(const policy::ProgramWorkload& workload, Direction direction) -> List* {
  ListKey key{.direction = direction};
  for (const policy::ProgramTier& tier : workload.tiers) {
    const auto& policies = direction == Direction::ingress ? tier.ingress : tier.egress;
    if (policies.empty()) continue;
    auto& parts =
        key.tiers.emplace_back(ListKey::Tier{tier.name, {}, tier.default_action}).policies;
    for (const policy::PolicyKey& policy : policies)
      parts.push_back(part({false, policy, direction}));
  }
  for (const std::string& name : workload.endpoint.profiles)
    key.profiles.push_back(part(RulePartKey::profile(name, direction)));
  const auto [found, is_new] = lists_.try_emplace(std::move(key));
  List& list = found->second;
  if (is_new) {
    list.key = &found->first;
    list.key->each_part([&](Part* each) { each->users.insert(&list); });
    dirty_.insert(&list);
  }
  ++list.endpoints;
  return &list;
}

void Classifier::drop_list(List* list) {
  if (list == nullptr || --list->endpoints > 0) return;
  std::set<Part*> parts;
  list->key->each_part([&](Part* each) { parts.insert(each); });
  dirty_.erase(list);
  lists_.erase(lists_.find(*list->key));
  for (Part* each : parts) {
    each->users.erase(list);
    forget_if_unused(each);
  }
}

void Classifier::forget_if_unused(Part* part) {
  if (!part->users.empty()) return;
  part->rules.forget();
  if (!part->rules.is_present()) parts_.erase(parts_.find(part->key));
}

std::optional<uint32_t> Classifier::endpoint(const policy::WorkloadKey& key) const {
  const auto found = endpoints_.find(key);
  if (found == endpoints_.end()) return std::nullopt;
  return found->second.number;
}

// ---- rule lists --------------------------------------------------------------------------------

auto Classifier::lines_of(const List& list) const -> std::vector<Line> {
  const ListKey& key = *list.key;
  std::string all_places;  // names the list in the ids of its ends
  key.each_part([&](const Part* part) { all_places += *part->rules.place() + "\n"; });
  std::vector<Line> lines;
  const auto end = [&](DecidedBy by, std::string what) {
    what += key.direction == Direction::ingress ? " ingress" : " egress";
    lines.push_back({nullptr, by, policy::Action::deny, std::make_shared<const std::string>(what),
                     policy::digest(all_places + what, k_rule_id_length), 0});
  };
  const auto add = [&](const Part* part) {
    const RulePart& rules = part->rules;
    if (!rules.is_present()) return end(DecidedBy::missing_policy, "missing " + *rules.place());
    const bool is_profile = part->key.is_profile;
    for (const auto& resolved : rules.resolved()) {
      lines.push_back({resolved.get(),
                       is_profile ? DecidedBy::profile_rule : DecidedBy::policy_rule,
                       resolved->rule.action,
                       rules.place(),
                       {},
                       static_cast<uint32_t>(lines.size() + 1)});
    }
  };
  for (const ListKey::Tier& tier : key.tiers) {
    const size_t first = lines.size();
    for (const Part* part : tier.policies) add(part);
    if (tier.default_action == policy::Action::deny)
      end(DecidedBy::end_of_tier, "end of tier " + tier.name);
    for (size_t i = first; i < lines.size(); ++i)
      if (lines[i].action == policy::Action::pass)
        lines[i].resume = static_cast<uint32_t>(lines.size());
  }
  for (const Part* part : key.profiles) add(part);
  end(DecidedBy::no_profile_matched, "no profile matched");
  return lines;
}

void Classifier::resolve_dirty() {
  std::set<Part*> parts;
  for (const List* list : dirty_) list->key->each_part([&](Part* part) { parts.insert(part); });
  for (Part* part : parts) part->rules.resolve(atoms_, counters_);
}

void Classifier::compile_dirty() {
  std::vector<ListedRule> listed;
  for (List* list : dirty_) {
    listed.clear();
    for (const Line& line : lines_of(*list)) {
      const uint32_t counter =
          line.resolved ? line.resolved->counter : counters_.use(line.end_id, *line.place);
      if (line.resolved) counters_.ref(counter);
      listed.push_back({line.resolved, counter, line.action, line.by, line.resume});
    }
    list->compiled = std::make_shared<CompiledRuleList>(listed, atoms_, counters_, rcu_);
  }
  if (!dirty_.empty()) endpoints_changed_ = true;
  dirty_.clear();
}

auto Classifier::rules_of(const policy::WorkloadKey& key, Direction direction) const
    -> std::vector<RuleLine> {
  std::vector<RuleLine> rules;
  const auto found = endpoints_.find(key);
  if (found == endpoints_.end()) return rules;
  const List& list =
      direction == Direction::ingress ? *found->second.ingress : *found->second.egress;
  if (!list.compiled) return rules;
  const auto& compiled = list.compiled->readers().rules;
  for (const Line& line : lines_of(list)) {
    if (rules.size() == compiled.size()) break;
    rules.push_back({compiled[rules.size()].counter, line.by, line.action, line.id(), *line.place,
                     line.resolved ? policy::rule_text(line.resolved->rule) : ""});
  }
  return rules;
}

// ---- publishing --------------------------------------------------------------------------------

uint64_t Classifier::commit() {
  reclaim();
  if (!changed_) return snapshot_->generation;
  const uint64_t generation = snapshot_->generation + 1;
  resolve_dirty();
  stage(generation);
  compile_dirty();
  publish(generation);
  retire([this, generation] { commit(generation); });
  close_retired();
  changed_ = false;
  return generation;
}

// Lists that no snapshot has yet are compiled later, with all classes.
void Classifier::enter(std::initializer_list<Dimension> dimensions, AtomSets& sets, uint32_t set) {
  if (!sets.first_use(set) || !snapshot_) return;
  bool too_much = false;
  for (const auto& list : snapshot_->table->lists) {
    for (const Dimension dimension : dimensions) list->enter(dimension, set, sets.atoms(set));
    too_much |= list->wants_rebuild();
  }
  if (!too_much) return;
  for (auto& [key, list] : lists_)
    if (list.compiled && list.compiled->wants_rebuild()) dirty_.insert(&list);
}

void Classifier::publish_ports(PortClasses& ports, std::initializer_list<Dimension> dimensions) {
  auto old = ports.publish([&](uint32_t set) { enter(dimensions, ports.sets(), set); });
  if (old) retire([old] {});
}

void Classifier::stage(uint64_t generation) {
  publish_ports(atoms_.ports(), {k_destination_port, k_source_port});
  publish_ports(atoms_.icmp(), {k_icmp});
  atoms_.addresses().stage(generation, [&](uint32_t set) {
    enter({k_source, k_destination}, atoms_.addresses().sets(), set);
  });
  atoms_.named_ports().stage(generation, [&](uint32_t set) {
    enter({k_source_named, k_destination_named}, atoms_.named_ports().sets(), set);
  });
}

void Classifier::publish(uint64_t generation) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  snapshot->port_classes = atoms_.ports().current().class_of.data();
  snapshot->icmp_classes = atoms_.icmp().current().class_of.data();
  if (snapshot_) snapshot->table = snapshot_->table;
  if (endpoints_changed_ || !snapshot_) {
    auto table = std::make_shared<EndpointTable>();
    for (const Endpoint* endpoint : by_number_) {
      EndpointRules& rules = table->endpoints.emplace_back();
      if (endpoint == nullptr) continue;
      rules = {&endpoint->ingress->compiled->readers(), &endpoint->egress->compiled->readers(),
               endpoint->is_up};
    }
    for (const auto& [key, list] : lists_) table->lists.push_back(list.compiled);
    snapshot->table = std::move(table);
  }
  endpoints_changed_ = false;
  snapshot->endpoints = snapshot->table->endpoints;
  if (snapshot_) retire([old = snapshot_] {});
  view_.publish(snapshot.get());
  snapshot_ = std::move(snapshot);
}

void Classifier::commit(uint64_t generation) {
  auto addresses = atoms_.addresses().commit(generation);
  auto named_ports = atoms_.named_ports().commit(generation);
  if (addresses.empty() && named_ports.empty()) return;
  retire([this, addresses, named_ports] {
    atoms_.addresses().release(addresses);
    atoms_.named_ports().release(named_ports);
  });
}

void Classifier::close_retired() {
  if (retired_now_.empty()) return;
  retired_.push_back({++last_retired_, std::exchange(retired_now_, {})});
  rcu_.defer([passed = passed_, number = last_retired_] { *passed = number; });
}

void Classifier::reclaim() {
  // What has been retired since the last commit waits for the next: workers still see it.
  auto waiting = std::exchange(retired_now_, {});
  while (!retired_.empty() && retired_.front().number <= *passed_) {
    const auto due = std::move(retired_.front().releases);
    retired_.pop_front();
    for (const auto& release : due) release();
  }
  close_retired();
  retired_now_ = std::move(waiting);
}

Classifier::Memory Classifier::memory() {
  Memory memory{
      .lists = lists_.size(),
      .rules = parts_.size(),
      .counters = counters_.live(),
      .endpoints = endpoints_.size(),
      .address_classes = atoms_.addresses().sets().live(),
      .port_classes = atoms_.ports().sets().live(),
      .icmp_classes = atoms_.icmp().sets().live(),
      .named_port_classes = atoms_.named_ports().sets().live(),
      .prefixes = atoms_.addresses().prefixes(),
      .named_ports = atoms_.named_ports().members(),
      .transitions = atoms_.addresses().transitions() + atoms_.named_ports().transitions(),
      .retired = retired_.size() + retired_now_.size()};
  for (const auto& [key, list] : lists_)
    if (list.compiled) memory.list_bytes += list.compiled->memory();
  memory.map_bytes = atoms_.addresses().v4().memory() + atoms_.addresses().v6().memory();
  return memory;
}

}  // namespace margay::vector
