#include "dataplane/iptables/table.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "dataplane/iptables/names.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;

bool is_ours(std::string_view chain) { return chain.starts_with(k_chain_prefix); }
bool is_ours(const SavedRule& rule) { return !rule.hash.empty() || rule.jumps_to_ours; }

bool same(const std::vector<std::string>& actual, const std::vector<HashedRule>& desired) {
  return std::ranges::equal(actual, desired, {}, {}, &HashedRule::hash);
}

// Ours stand first, unchanged, and nowhere else.
bool stand_first(const std::vector<SavedRule>& actual, const std::vector<HashedRule>& desired) {
  if (actual.size() < desired.size()) return false;
  const auto rest = actual.begin() + static_cast<ptrdiff_t>(desired.size());
  return std::equal(desired.begin(), desired.end(), actual.begin(),
                    [](const auto& want, const auto& have) { return want.hash == have.hash; }) &&
         std::none_of(rest, actual.end(), [](const auto& rule) { return is_ours(rule); });
}

}  // namespace

Table::Table(policy::IPFamily family, std::string name, Commands& commands)
    : family_(family), name_(std::move(name)), commands_(commands) {}

void Table::set_chain(const Chain& chain) {
  chains_[chain.name] = hashed(chain);
  dirty_chains_.insert(chain.name);
}

void Table::remove_chain(const std::string& name) {
  if (chains_.erase(name) > 0) dirty_chains_.insert(name);
}

void Table::set_insertions(const Chain& kernel_chain) {
  insertions_[kernel_chain.name] = hashed(kernel_chain);
  dirty_insertions_.insert(kernel_chain.name);
}

Result<> Table::apply() {
  const bool known = actual_.has_value();
  auto result = apply_once();
  if (!result && known) {
    // Another program may have changed the table under us: judge by what is there now.
    spdlog::info("iptables {}: reading it again: {}", name_, result.error().message);
    resync();
    result = apply_once();
  }
  if (!result) resync();
  return result;
}

Result<> Table::apply_once() {
  if (!actual_) {
    MARGAY_CHECK(load());
    verify_ = true;
  }
  const std::string input = difference();
  if (!input.empty()) {
    MARGAY_CHECK(commands_.restore(family_, input));
    assume_written();
  }
  dirty_chains_.clear();
  dirty_insertions_.clear();
  if (input.empty() || !verify_) {
    verify_ = false;
    return {};
  }
  MARGAY_CHECK(load());
  if (difference().empty()) {
    verify_ = false;
    dirty_chains_.clear();
    dirty_insertions_.clear();
    return {};
  }
  return base::fail(base::ErrorCode::conflict,
                    fmt::format("iptables table {} does not hold what was written to it; another "
                                "program may be changing it",
                                name_));
}

Result<> Table::load() {
  MARGAY_TRY(const std::string text, commands_.save(family_, name_));
  Actual actual;
  for (auto& [name, rules] : parse_saved_table(text).chains) {
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
  for (const auto& [name, rules] : chains_) dirty_chains_.insert(name);
  for (const auto& [name, rules] : insertions_) dirty_insertions_.insert(name);
  actual_ = std::move(actual);
  return {};
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
  const auto want = chains_.find(name);
  const auto have = actual_->chains.find(name);
  const bool exists = have != actual_->chains.end();
  if (want == chains_.end()) {
    if (!exists) return;
    declared += fmt::format(":{} - [0:0]\n", name);  // emptied, so that nothing it names is held
    removed += fmt::format("--delete-chain {}\n", name);
    return;
  }
  if (exists && same(have->second, want->second)) return;
  declared += fmt::format(":{} - [0:0]\n", name);
  for (const auto& rule : want->second) rules += fmt::format("-A {} {}\n", name, rule.text);
}

void Table::add_insertions_difference(const std::string& name, std::string& rules) const {
  static const std::vector<HashedRule> none_wanted;
  static const std::vector<SavedRule> none_there;
  const auto wanted = insertions_.find(name);
  const auto& want = wanted == insertions_.end() ? none_wanted : wanted->second;
  const auto there = actual_->kernel_chains.find(name);
  const auto& have = there == actual_->kernel_chains.end() ? none_there : there->second;
  if (stand_first(have, want)) return;
  for (const auto& rule : have)
    if (is_ours(rule)) rules += fmt::format("-D {} {}\n", name, rule.text);
  size_t position = 0;
  for (const auto& rule : want) rules += fmt::format("-I {} {} {}\n", name, ++position, rule.text);
}

void Table::assume_written() {
  for (const auto& name : dirty_chains_) {
    const auto want = chains_.find(name);
    if (want == chains_.end()) {
      actual_->chains.erase(name);
      continue;
    }
    auto& hashes = actual_->chains[name];
    hashes.clear();
    for (const auto& rule : want->second) hashes.push_back(rule.hash);
  }
  for (const auto& name : dirty_insertions_) {
    auto& have = actual_->kernel_chains[name];
    std::erase_if(have, [](const auto& rule) { return is_ours(rule); });
    const auto wanted = insertions_.find(name);
    if (wanted == insertions_.end()) continue;
    std::vector<SavedRule> ours;
    for (const auto& rule : wanted->second) ours.push_back({.hash = rule.hash, .text = rule.text});
    have.insert(have.begin(), ours.begin(), ours.end());
  }
}

Result<bool> Table::has_chain(const std::string& name) {
  if (!actual_) MARGAY_CHECK(load());
  return actual_->chains.contains(name);
}

}  // namespace margay::dataplane::iptables
