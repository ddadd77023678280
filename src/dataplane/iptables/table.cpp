#include "dataplane/iptables/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

bool is_ours(std::string_view chain) { return chain.starts_with(k_chain_prefix); }
bool is_ours(const SavedRule& rule) { return !rule.hash.empty() || rule.jumps_to_ours; }

bool same(const std::vector<std::string>& actual, const std::vector<HashedRule>& desired) {
  return std::ranges::equal(actual, desired, {}, {}, &HashedRule::hash);
}
bool same(const std::vector<HashedRule>& one, const std::vector<HashedRule>& other) {
  return std::ranges::equal(one, other, {}, &HashedRule::hash, &HashedRule::hash);
}

// Of lists that differ.
std::string first_difference(const std::vector<std::string>& actual,
                             const std::vector<HashedRule>& desired) {
  size_t i = 0;
  while (i < actual.size() && i < desired.size() && actual[i] == desired[i].hash) ++i;
  if (i == desired.size()) return fmt::format("rule {} is not wanted", i + 1);
  return fmt::format("rule {} is not the wanted \"{}\"", i + 1, desired[i].text);
}

// Ours stand in their place, unchanged, and nowhere else.
bool stand_in_place(const std::vector<SavedRule>& actual, const std::vector<HashedRule>& desired,
                    InsertMode mode) {
  if (actual.size() < desired.size()) return false;
  const auto others = static_cast<ptrdiff_t>(actual.size() - desired.size());
  const auto first = actual.begin() + (mode == InsertMode::insert ? 0 : others);
  const auto last = first + static_cast<ptrdiff_t>(desired.size());
  const auto is_one_of_ours = [](const SavedRule& rule) { return is_ours(rule); };
  return std::equal(desired.begin(), desired.end(), first,
                    [](const auto& want, const auto& have) { return want.hash == have.hash; }) &&
         std::none_of(actual.begin(), first, is_one_of_ours) &&
         std::none_of(last, actual.end(), is_one_of_ours);
}

}  // namespace

void Table::set_chain(const Chain& chain) {
  Desired desired{hashed(chain), chain.stands_alone};
  auto& kept = chains_[chain.name];
  if (!same(kept.rules, desired.rules)) {
    allow(chain.name);
    suspected_.erase(chain.name);
  }
  kept = std::move(desired);
  dirty_chains_.insert(chain.name);
}

void Table::remove_chain(const std::string& name) {
  allow(name);
  suspected_.erase(name);
  if (chains_.erase(name) > 0) dirty_chains_.insert(name);
}

void Table::set_insertions(const Chain& kernel_chain) {
  insertions_[kernel_chain.name] = hashed(kernel_chain);
  dirty_insertions_.insert(kernel_chain.name);
}

void Table::learn(SavedTable saved) {
  Actual actual;
  dirty_chains_.clear();
  dirty_insertions_.clear();
  for (auto& [name, rules] : saved.chains) {
    if (!is_ours(name)) {
      if (std::ranges::any_of(rules, [](const auto& rule) { return is_ours(rule); }))
        dirty_insertions_.insert(name);
      actual.kernel_chains.emplace(name, std::move(rules));
      continue;
    }
    auto& hashes = actual.chains[name];
    for (const auto& rule : rules) hashes.push_back(rule.hash);
    dirty_chains_.insert(name);
  }
  for (const auto& [name, desired] : chains_) dirty_chains_.insert(name);
  for (const auto& [name, rules] : insertions_) dirty_insertions_.insert(name);
  actual_ = std::move(actual);
}

bool Table::has_rules(const std::string& name) const {
  if (!actual_) return false;
  const auto found = actual_->chains.find(name);
  return found != actual_->chains.end() && !found->second.empty();
}

bool Table::leads_to_ours(const std::string& kernel_chain) const {
  if (!actual_) return false;
  const auto found = actual_->kernel_chains.find(kernel_chain);
  return found != actual_->kernel_chains.end() &&
         std::ranges::any_of(found->second, [](const auto& rule) { return is_ours(rule); });
}

void Table::learn_empty_chain(const std::string& name) {
  actual_->chains[name].clear();
  dirty_chains_.insert(name);
}

std::vector<SuspectChain> Table::suspects() const {
  std::vector<SuspectChain> out;
  for (const auto& name : dirty_chains_) {
    const auto desired = chains_.find(name);
    if (desired == chains_.end() || !desired->second.stands_alone || refused_.contains(name))
      continue;
    const auto have = actual_->chains.find(name);
    if (have != actual_->chains.end() && same(have->second, desired->second.rules)) continue;
    SuspectChain suspect{name, {}};
    for (const auto& rule : desired->second.rules) suspect.rules.push_back(rule.text);
    out.push_back(std::move(suspect));
  }
  std::ranges::stable_partition(
      out, [this](const auto& suspect) { return !suspected_.contains(suspect.name); });
  return out;
}

void Table::refuse(RefusedChain chain) {
  const std::string name = chain.name;
  if (chain.is_certain) suspected_.insert(name);
  closed_[name] = hashed({name, {{"", "-j DROP", "A rule of this chain was refused"}}});
  refused_.insert_or_assign(name, std::move(chain));
  dirty_chains_.insert(name);
}

void Table::allow(const std::string& chain) {
  closed_.erase(chain);
  if (refused_.erase(chain) > 0) dirty_chains_.insert(chain);
}

std::vector<std::pair<std::string, std::string_view>> Table::chains_with_any(
    const Words& words) const {
  std::vector<std::pair<std::string, std::string_view>> found;
  if (words.empty()) return found;
  const auto first_in = [&words](const std::vector<HashedRule>& rules) -> std::string_view {
    for (const auto& rule : rules)
      for (const auto part : std::views::split(std::string_view(rule.text), ' '))
        if (const auto word = words.find(std::string_view(part)); word != words.end()) return *word;
    return {};
  };
  for (const auto& [name, desired] : chains_)
    if (desired.stands_alone)
      if (const auto word = first_in(desired.rules); !word.empty()) found.emplace_back(name, word);
  return found;
}

const std::vector<HashedRule>* Table::wanted(const std::string& name) const {
  if (const auto closed = closed_.find(name); closed != closed_.end()) return &closed->second;
  const auto desired = chains_.find(name);
  return desired == chains_.end() ? nullptr : &desired->second.rules;
}

std::string Table::difference() const {
  std::string declared, rules, removed;
  for (const auto& name : dirty_chains_) add_chain_difference(name, declared, rules, removed);
  for (const auto& name : dirty_insertions_) add_insertions_difference(name, rules);
  if (declared.empty() && rules.empty()) return "";
  return fmt::format("*{}\n{}{}{}COMMIT\n", name_, declared, rules, removed);
}

void Table::add_chain_difference(const std::string& name, std::string& declared, std::string& rules,
                                 std::string& removed) const {
  const auto* want = wanted(name);
  const auto have = actual_->chains.find(name);
  const bool exists = have != actual_->chains.end();
  if (!want) {
    if (!exists) return;
    declared += fmt::format(":{} - [0:0]\n", name);  // emptied, so that nothing it names is held
    removed += fmt::format("--delete-chain {}\n", name);
    return;
  }
  if (exists && same(have->second, *want)) return;
  declared += fmt::format(":{} - [0:0]\n", name);
  for (const auto& rule : *want) rules += fmt::format("-A {} {}\n", name, rule.text);
}

void Table::add_insertions_difference(const std::string& name, std::string& rules) const {
  static const std::vector<HashedRule> none_wanted;
  static const std::vector<SavedRule> none_there;
  const auto desired = insertions_.find(name);
  const auto& want = desired == insertions_.end() ? none_wanted : desired->second;
  const auto there = actual_->kernel_chains.find(name);
  const auto& have = there == actual_->kernel_chains.end() ? none_there : there->second;
  if (stand_in_place(have, want, mode_)) return;
  for (const auto& rule : have)
    if (is_ours(rule)) rules += fmt::format("-D {} {}\n", name, rule.text);
  size_t position = 0;
  for (const auto& rule : want)
    rules += mode_ == InsertMode::insert ? fmt::format("-I {} {} {}\n", name, ++position, rule.text)
                                         : fmt::format("-A {} {}\n", name, rule.text);
}

Differences Table::differences() const {
  Differences out;
  const auto add = [&](const std::string& chain, std::string problem) {
    out.push_back({StateKind::rules, fmt::format("{} chain {}", name_, chain), std::move(problem)});
  };
  for (const auto& name : dirty_chains_) {
    const auto* want = wanted(name);
    const auto have = actual_->chains.find(name);
    const bool exists = have != actual_->chains.end();
    if (want && !exists)
      add(name, "missing");
    else if (!want && exists)
      add(name, "not wanted");
    else if (want && !same(have->second, *want))
      add(name, first_difference(have->second, *want));
  }
  for (const auto& name : dirty_insertions_) {
    std::string rules;
    add_insertions_difference(name, rules);
    if (!rules.empty()) add(name, "our rules are not in their place, or not those that are wanted");
  }
  return out;
}

void Table::assume_written() {
  for (const auto& name : dirty_chains_) {
    const auto* want = wanted(name);
    if (!want) {
      actual_->chains.erase(name);
      continue;
    }
    auto& hashes = actual_->chains[name];
    hashes.clear();
    for (const auto& rule : *want) hashes.push_back(rule.hash);
  }
  for (const auto& name : dirty_insertions_) {
    auto& have = actual_->kernel_chains[name];
    std::erase_if(have, [](const auto& rule) { return is_ours(rule); });
    const auto wanted_rules = insertions_.find(name);
    if (wanted_rules == insertions_.end()) continue;
    std::vector<SavedRule> ours;
    for (const auto& rule : wanted_rules->second)
      ours.push_back({.hash = rule.hash, .text = rule.text});
    have.insert(mode_ == InsertMode::insert ? have.begin() : have.end(), ours.begin(), ours.end());
  }
  dirty_chains_.clear();
  dirty_insertions_.clear();
}

}  // namespace margay::dataplane::iptables
