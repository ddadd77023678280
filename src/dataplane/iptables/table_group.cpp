#include "dataplane/iptables/table_group.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/result_steps.h"

namespace margay::dataplane::iptables {

using base::Result;

Result<> TableGroup::apply(const std::set<std::string>& done_without) {
  if (check_.take_due(PostWriteCheck::Clock::now())) unlearn();
  const bool known = std::ranges::all_of(tables_, &Table::is_known);
  auto result = apply_together();
  if (!result && known) {
    // Another program may have changed the tables under us: judge by what is there now.
    spdlog::info("iptables: reading the tables again: {}", result.error().message);
    result = apply_together();
  }
  note_all_unwritten();
  if (!result && result.error().code != base::ErrorCode::conflict)
    result = apply_one_by_one(done_without);
  if (result)
    unwritten_.clear();
  else
    unlearn();
  return result;
}

Result<> TableGroup::apply_each() {
  std::set<std::string> all;
  for (const auto* table : tables_) all.insert(table->name());
  return apply(all);
}

Result<> TableGroup::apply_together() {
  MARGAY_CHECK(load());
  const std::string input = difference();
  if (!input.empty()) {
    if (auto written = restore(input); !written) {
      unlearn();
      return written;
    }
  }
  for (auto* table : tables_) table->assume_written();
  if (!input.empty() && verify_) MARGAY_CHECK(verify());
  verify_ = false;
  return {};
}

Result<> TableGroup::verify() {
  unlearn();
  MARGAY_CHECK(load());
  if (difference().empty()) return {};
  return base::fail(base::ErrorCode::conflict,
                    "the iptables tables do not hold what was written to them; another program may "
                    "be changing them");
}

Result<> TableGroup::apply_one_by_one(const std::set<std::string>& done_without) {
  MARGAY_CHECK(load());
  Result<> result;
  unwritten_.clear();
  for (auto* table : tables_) {
    auto written = apply_alone(*table);
    const bool is_missed = !written && !done_without.contains(table->name());
    if (!written) unwritten_.insert(table->name());
    base::keep_first(result, std::move(written));
    if (is_missed) return result;
  }
  if (result && verify_) result = verify();
  verify_ = false;
  if (result || !unwritten_.empty()) return result;
  note_all_unwritten();
  return result;
}

Result<> TableGroup::apply_alone(Table& table) {
  const auto write = [&]() -> Result<> {
    const std::string input = table.difference();
    if (!input.empty()) MARGAY_CHECK(restore(input));
    table.assume_written();
    return {};
  };
  auto written = write();
  if (written) return {};
  MARGAY_TRY(auto refused, find_refused(commands_, family_, table.name(), table.suspects()));
  table.learn_empty_chain(k_trial_chain);
  if (refused.empty()) return written;
  for (auto& chain : refused) table.refuse(std::move(chain));
  return write();
}

Result<> TableGroup::load() {
  if (std::ranges::all_of(tables_, &Table::is_known)) return {};
  MARGAY_TRY(const std::string text, commands_.save(family_));
  auto saved = parse_saved_tables(text);
  for (auto* table : tables_) table->learn(std::move(saved[table->name()]));
  verify_ = true;
  return {};
}

Result<> TableGroup::restore(const std::string& input) {
  MARGAY_CHECK(commands_.restore(family_, input));
  check_.note_write(PostWriteCheck::Clock::now());
  return {};
}

void TableGroup::note_all_unwritten() {
  for (const auto* table : tables_) unwritten_.insert(table->name());
}

void TableGroup::unlearn() {
  for (auto* table : tables_) table->unlearn();
}

void TableGroup::forget() {
  unlearn();
  for (auto* table : tables_) {
    const auto refused = table->refused();
    for (const auto& [chain, why] : refused) table->allow(chain);
  }
}

std::string TableGroup::difference() const {
  std::string input;
  for (const auto* table : tables_) input += table->difference();
  return input;
}

}  // namespace margay::dataplane::iptables
