// What the transaction that brings the kernel to what is wanted consists of, and in which order.

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "dataplane/nftables/nftables_tables.h"
#include "policy/protocol.h"

namespace margay::dataplane::nftables {
namespace {

std::string to_text(const policy::SetMember& member) {
  if (member.port == 0 && member.protocol == 0) return member.net.to_string();
  return fmt::format("{},{}:{}", member.net.address().to_string(),
                     policy::protocol_name(member.protocol), member.port);
}

}  // namespace

bool NftablesTables::is_swept(const std::string& full_name) const {
  if (sweep_ == Sweep::all) return true;
  return sweep_ == Sweep::raw_and_filter_chains &&
         (full_name.starts_with(layer_prefix(Layer::raw)) ||
          full_name.starts_with(layer_prefix(Layer::filter)));
}

NftablesTables::Transaction NftablesTables::difference() const {
  Transaction transaction;
  auto& [batch, origins, flushed] = transaction;
  if (!kernel_.table) nftables::add_table(batch, family_);
  const auto differences = sets_.differences();
  std::set<std::string> rebuilt_sets;
  for (const auto& difference : differences)
    if (difference.rebuild) rebuilt_sets.insert(difference.name);
  for (const auto& [map, chains] : dispatch_)
    if (const auto there = kernel_maps_.find(map);
        there != kernel_maps_.end() && !there->second.usable)
      rebuilt_sets.insert(map);
  add_chains(transaction, rebuilt_sets);
  origins.resize(batch.size());
  for (const auto& set : rebuilt_sets) nftables::remove_set(batch, family_, set);
  origins.resize(batch.size());
  add_sets(transaction, differences);
  for (const auto& name : transaction.flushed) {
    const auto* want = wanted(name);
    if (!want) continue;
    for (size_t i = 0; i < want->rules.size(); ++i) {
      nftables::add_rule(batch, family_, name, want->rules[i].expressions, want->rules[i].comment);
      origins.resize(batch.size(), {Origin::Kind::rule, name, i});
    }
  }
  add_dispatch(transaction);
  for (const auto& name : transaction.flushed)
    if (!wanted(name)) nftables::remove_chain(batch, family_, name);
  if (sweep_ == Sweep::all)
    for (const auto& set : sets_.superfluous()) nftables::remove_set(batch, family_, set);
  origins.resize(batch.size());
  return transaction;
}

base::Result<Differences> NftablesTables::differences() {
  forget_rules();
  forget_sets();
  MARGAY_CHECK(load());
  Differences out;
  add_chain_differences(out);
  for (const auto& [name, type, rebuild, create, added, removed] : sets_.differences()) {
    const auto add = [&, &name = name](std::string problem) {
      out.push_back({StateKind::sets, "set " + name, std::move(problem)});
    };
    if (rebuild || create) add(rebuild ? "is of another kind" : "missing");
    for (const auto& member : added) add("lacks " + to_text(member));
    if (rebuild) continue;
    for (const auto& member : removed)
      add(fmt::format("has {}, which is not wanted", to_text(member)));
  }
  for (const auto& name : sets_.superfluous())
    out.push_back({StateKind::sets, "set " + name, "not wanted"});
  add_dispatch_differences(out);
  return out;
}

void NftablesTables::add_chain_differences(Differences& out) const {
  const auto add = [&](const std::string& name, std::string problem) {
    out.push_back({StateKind::rules, "chain " + name, std::move(problem)});
  };
  for (const auto& name : dirty_) {
    const auto* want = wanted(name);
    const auto there = kernel_.chains.find(name);
    if (there == kernel_.chains.end()) {
      if (want) add(name, "missing");
      continue;
    }
    const auto& [hook, drops_by_policy, hashes] = there->second;
    if (!want) {
      add(name, "not wanted");
    } else if (hook != want->hook || drops_by_policy) {
      add(name, "is at another hook, or of another policy");
    } else {
      const auto [have, rule] = std::ranges::mismatch(hashes, want->rules, {}, {}, &Rule::hash);
      const auto number = have - hashes.begin() + 1;
      if (rule != want->rules.end())
        add(name, fmt::format("rule {} is not the wanted \"{}\"", number, rule->comment));
      else if (have != hashes.end())
        add(name, fmt::format("rule {} is not wanted", number));
    }
  }
}

void NftablesTables::add_dispatch_differences(Differences& out) const {
  static const Dispatch nothing;
  for (const auto& [map, chains] : dispatch_) {
    const auto there = kernel_maps_.find(map);
    if (there == kernel_maps_.end() || !there->second.usable) {
      out.push_back({StateKind::rules, "map " + map, "missing, or of another kind"});
      continue;
    }
    for (const auto& [interface, chain] : chains) {
      const auto have = there->second.chains.find(interface);
      if (have == there->second.chains.end() || have->second != chain)
        out.push_back(
            {StateKind::rules, "map " + map, "does not lead " + interface + " to " + chain});
    }
    for (const auto& [interface, chain] : there->second.chains)
      if (!chains.contains(interface))
        out.push_back(
            {StateKind::rules, "map " + map, "has " + interface + ", which is not wanted"});
  }
}

// Makes the chains that are missing, and empties those that are to be filled anew or to go.
void NftablesTables::add_chains(Transaction& transaction,
                                const std::set<std::string>& rebuilt_sets) const {
  auto& [batch, origins, flushed] = transaction;
  // What looks into a set that is made anew has to let go of it.
  auto dirty = dirty_;
  if (!rebuilt_sets.empty())
    for (const auto& [name, chain] : chains_)
      if (std::ranges::any_of(rebuilt_sets,
                              [&](const auto& set) { return chain.sets.contains(set); }))
        dirty.insert(name);
  for (const auto& name : dirty) {
    const auto* want = wanted(name);
    const auto there = kernel_.chains.find(name);
    const bool exists = there != kernel_.chains.end();
    if (!want) {
      if (!exists || !is_swept(name)) continue;
      nftables::flush_chain(batch, family_, name);
      flushed.insert(name);
      continue;
    }
    const bool misplaced =
        exists && (there->second.hook != want->hook || there->second.drops_by_policy);
    const bool lets_go = std::ranges::any_of(
        rebuilt_sets, [&](const auto& set) { return want->sets.contains(set); });
    if (exists && !misplaced && !lets_go &&
        std::ranges::equal(there->second.hashes, want->rules, {}, {}, &Rule::hash))
      continue;
    if (exists && !there->second.hashes.empty()) nftables::flush_chain(batch, family_, name);
    // A chain of the kernel's stays where it was made; only ours lead to others, so that none is
    // in the way of its going.
    if (misplaced) nftables::remove_chain(batch, family_, name);
    if (!exists || misplaced) nftables::add_chain(batch, family_, name, want->hook);
    flushed.insert(name);
  }
}

void NftablesTables::add_sets(Transaction& transaction,
                              const std::vector<SetElements::Difference>& differences) const {
  auto& [batch, origins, flushed] = transaction;
  for (const auto& [name, type, rebuild, create, added, removed] : differences) {
    if (create) nftables::add_set(batch, family_, name, type);
    change_elements(batch, family_, name, type, removed, false);
    change_elements(batch, family_, name, type, added, true);
    origins.resize(batch.size(), {Origin::Kind::set, name, 0});
  }
  for (const auto& [map, chains] : dispatch_) {
    const auto there = kernel_maps_.find(map);
    if (there == kernel_maps_.end() || !there->second.usable)
      nftables::add_map(batch, family_, map);
  }
  origins.resize(batch.size());
}

void NftablesTables::add_dispatch(Transaction& transaction) const {
  auto& [batch, origins, flushed] = transaction;
  for (const auto& [map, chains] : dispatch_) {
    const auto dirty = dirty_dispatch_.find(map);
    if (dirty == dirty_dispatch_.end()) continue;
    static const Dispatch nothing;
    const auto there = kernel_maps_.find(map);
    const Dispatch& have =
        there == kernel_maps_.end() || !there->second.usable ? nothing : there->second.chains;
    Dispatch added, removed;
    for (const auto& name : dirty->second) {
      const auto want = chains.find(name);
      const auto has = have.find(name);
      if (want != chains.end() && has != have.end() && want->second == has->second) continue;
      if (has != have.end()) removed.insert(*has);
      if (want != chains.end()) added.insert(*want);
    }
    change_map(batch, family_, map, removed, false);
    change_map(batch, family_, map, added, true);
  }
  origins.resize(batch.size());
}

void NftablesTables::assume_written() {
  kernel_.table = true;
  for (const auto& name : dirty_) {
    const auto* want = wanted(name);
    if (!want) {
      if (is_swept(name)) kernel_.chains.erase(name);
      continue;
    }
    auto& chain = kernel_.chains[name];
    chain = {.hook = want->hook};
    for (const auto& rule : want->rules) chain.hashes.push_back(rule.hash);
  }
  dirty_.clear();
  for (const auto& [map, interfaces] : dirty_dispatch_) {
    auto& there = kernel_maps_[map];
    const auto& chains = dispatch_[map];
    if (!there.usable) there = {.usable = true};
    for (const auto& name : interfaces) {
      there.chains.erase(name);
      if (const auto want = chains.find(name); want != chains.end()) there.chains.insert(*want);
    }
  }
  dirty_dispatch_.clear();
  sets_.assume_written(sweep_ == Sweep::all);
}

}  // namespace margay::dataplane::nftables
