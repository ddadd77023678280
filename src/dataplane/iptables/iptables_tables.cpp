#include "dataplane/iptables/iptables_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "dataplane/iptables/dispatch_chains.h"
#include "dataplane/iptables/rule_text.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using policy::IPFamily;

constexpr std::array k_filter_hooks{"INPUT", "FORWARD", "OUTPUT"};

// The rule of ours in the kernel's chain `hook` and jumps to "cali-<hook>".
Chain insertion(const std::string& hook) { return {hook, {{"", "-j cali-" + hook}}}; }

}  // namespace

IptablesTables::IptablesTables(IPFamily family, const Config& config, Commands& commands)
    : IptablesTables(family, config, commands, false) {}

IptablesTables::IptablesTables(IPFamily family, const Config& config, Commands& commands,
                               bool closed_start)
    : family_(family),
      config_(config),
      commands_(commands),
      raw_("raw", config.insert_mode),
      mangle_("mangle", config.insert_mode),
      filter_("filter", config.insert_mode),
      nat_("nat", config.insert_mode),
      tables_(family,
              closed_start ? std::vector<Table*>{&raw_, &filter_}
                           : std::vector<Table*>{&raw_, &mangle_, &filter_, &nat_},
              commands, PostWriteCheck(config.post_write_check)),
      sets_(family, commands, config.max_set_size) {}

Table& IptablesTables::table(Layer layer) {
  switch (layer) {
    case Layer::raw:
      return raw_;
    case Layer::mangle:
      return mangle_;
    case Layer::nat:
      return nat_;
    case Layer::filter:
      break;
  }
  return filter_;
}

void IptablesTables::set_chain(Layer layer, const PacketChain& chain) {
  table(layer).set_chain(to_text(chain, family_));
}

void IptablesTables::remove_chain(Layer layer, const std::string& name) {
  table(layer).remove_chain(name);
}

void IptablesTables::set_hook(Layer layer, const std::string& hook, bool wanted) {
  table(layer).set_insertions(wanted ? insertion(hook) : Chain{hook, {}});
}

void IptablesTables::set_workload(const std::string& interface_name, bool known) {
  dispatch_changed_ |=
      known ? workloads_.insert(interface_name).second : workloads_.erase(interface_name) > 0;
}

void IptablesTables::set_members(std::string_view id, policy::SetType type,
                                 const policy::SetMembers& members) {
  sets_.set(id, type, members);
}

void IptablesTables::change_members(std::string_view id,
                                    const std::vector<policy::SetMember>& added,
                                    const std::vector<policy::SetMember>& removed) {
  sets_.change(id, added, removed);
}

void IptablesTables::remove_set(std::string_view id) { sets_.remove(id); }

void IptablesTables::render_dispatch() {
  for (const Dispatch& dispatch :
       {Dispatch{std::string(k_from_workload_dispatch), "-i", from_workload_chain},
        Dispatch{std::string(k_to_workload_dispatch), "-o", to_workload_chain}}) {
    std::set<std::string> fresh;
    for (const auto& chain : dispatch_chains(dispatch, workloads_, config_.interface_prefixes)) {
      filter_.set_chain(chain);
      fresh.insert(chain.name);
    }
    auto& before = dispatch_names_[dispatch.chain];
    for (const auto& name : before)
      if (!fresh.contains(name)) filter_.remove_chain(name);
    before = std::move(fresh);
  }
  dispatch_changed_ = false;
}

// What names a set that is not as it should be would match what it should not.
Result<> IptablesTables::write_sets() {
  auto result = sets_.apply_updates();
  const auto tables = {&raw_, &mangle_, &filter_};
  for (const auto& chain : chains_without_sets_)
    for (auto* table : tables) table->allow(chain);
  chains_without_sets_.clear();
  Table::Words refused;
  for (const auto& [name, reason] : sets_.refused()) refused.insert(name);
  for (auto* table : tables)
    for (auto& [chain, set] : table->chains_with_any(refused)) {
      const auto& reason = sets_.refused().at(std::string(set));
      table->refuse({chain, "", fmt::format("set {}: {}", set, reason)});
      chains_without_sets_.push_back(std::move(chain));
    }
  return result;
}

Result<> IptablesTables::write_rules(const std::set<Layer>& done_without) {
  if (dispatch_changed_) render_dispatch();
  std::set<std::string> names;
  for (const Layer layer : done_without) names.insert(table(layer).name());
  return tables_.apply(names);
}

const std::map<std::string, RefusedChain>& IptablesTables::refused(Layer layer) const {
  return const_cast<IptablesTables*>(this)->table(layer).refused();
}

Result<Differences> IptablesTables::differences() {
  if (dispatch_changed_) render_dispatch();
  tables_.forget();
  MARGAY_CHECK(tables_.load());
  MARGAY_TRY(Differences all, sets_.differences());
  for (const auto* table : {&raw_, &mangle_, &filter_, &nat_})
    std::ranges::move(table->differences(), std::back_inserter(all));
  return all;
}

// Whether packets reach the chains that an agent before us has left: another program may have
// flushed the kernel's own.
bool IptablesTables::is_wired() const {
  return filter_.has_rules("cali-FORWARD") && raw_.leads_to_ours("PREROUTING") &&
         std::ranges::all_of(k_filter_hooks,
                             [&](const char* hook) { return filter_.leads_to_ours(hook); });
}

// Whether a run before has left what enforces, host endpoints included.
bool IptablesTables::has_filter_chains() const {
  return std::ranges::all_of(
      std::initializer_list<std::string_view>{"cali-FORWARD", "cali-INPUT", "cali-OUTPUT",
                                              k_workload_to_host, k_from_workload_dispatch,
                                              k_to_workload_dispatch},
      [this](std::string_view chain) { return filter_.has_rules(std::string(chain)); });
}

bool IptablesTables::filter_enforces() const {
  return has_filter_chains() && std::ranges::all_of(k_filter_hooks, [&](const char* hook) {
           return filter_.leads_to_ours(hook);
         });
}

// Another program has flushed the kernel's own chains: leads packets to ours again, which stay.
Result<> IptablesTables::wire() {
  std::string input;
  const auto add = [&](const Table& table, std::span<const char* const> hooks) {
    input += fmt::format("*{}\n", table.name());
    for (const char* hook : hooks)
      if (!table.leads_to_ours(hook))
        input += fmt::format("-{} {} {}\n", config_.insert_mode == InsertMode::insert ? 'I' : 'A',
                             hook, hashed(insertion(hook)).front().text);
    input += "COMMIT\n";
  };
  constexpr std::array k_raw_hooks{"PREROUTING"};
  add(raw_, k_raw_hooks);
  add(filter_, k_filter_hooks);
  tables_.forget();
  return commands_.restore(family_, input);
}

std::set<Layer> IptablesTables::unwritten() const {
  std::set<Layer> layers;
  for (const auto& [layer, table] : {std::pair(Layer::raw, &raw_),
                                     {Layer::mangle, &mangle_},
                                     {Layer::filter, &filter_},
                                     {Layer::nat, &nat_}})
    if (tables_.unwritten().contains(table->name())) layers.insert(layer);
  return layers;
}

Result<bool> IptablesTables::resume() {
  MARGAY_CHECK(tables_.load());
  if (is_wired()) return true;
  if (!raw_.has_rules("cali-PREROUTING") || !has_filter_chains()) return false;
  MARGAY_CHECK(wire());
  return true;
}

std::unique_ptr<FamilyTables> IptablesTables::for_closed_start() {
  return std::unique_ptr<FamilyTables>(new IptablesTables(family_, config_, commands_, true));
}

Result<> IptablesTables::clean_up() {
  tables_.forget();
  Table raw("raw"), mangle("mangle"), filter("filter"), nat("nat");
  MARGAY_CHECK(TableGroup(family_, {&raw, &mangle, &filter, &nat}, commands_).apply_each());
  // The kernel lets go of a set a moment after the last rule that named it.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  IPSets none(family_, commands_, config_.max_set_size);
  MARGAY_CHECK(none.apply_updates());
  MARGAY_CHECK(none.apply_removals());
  while (none.has_removals() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    MARGAY_CHECK(none.apply_removals());
  }
  sets_.resync();
  if (none.has_removals())
    return base::fail(base::ErrorCode::conflict,
                      "sets named cali* are still used by rules of another program");
  return {};
}

}  // namespace margay::dataplane::iptables
