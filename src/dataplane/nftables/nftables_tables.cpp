#include "dataplane/nftables/nftables_tables.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

#include "policy/digest.h"

namespace margay::dataplane::nftables {
namespace {

using base::Result;
using policy::IPFamily;

constexpr size_t k_hash_length = 16;

// A comment as nft can print it in quotes.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') out += c;
  return out;
}

// Says nothing about what was asked: the kernel may take it the next time.
bool is_passing(int error) {
  return error == EINTR || error == EAGAIN || error == ENOMEM || error == ENOBUFS || error == EPERM;
}

}  // namespace

Result<std::shared_ptr<Sockets>> Sockets::open() {
  MARGAY_TRY(auto write, BatchSocket::open());
  MARGAY_TRY(auto read, net::NetlinkSocket::open(NETLINK_NETFILTER));
  return std::make_shared<Sockets>(Sockets{std::move(write), std::move(read)});
}

NftablesTables::NftablesTables(IPFamily family, std::shared_ptr<Sockets> sockets)
    : family_(family), sockets_(std::move(sockets)), sets_(family) {
  make_dispatch(k_from_workload_dispatch, true, k_from_workload_map);
  make_dispatch(k_to_workload_dispatch, false, k_to_workload_map);
}

// ---- what is wanted -----------------------------------------------------------------------------

// The hash is over the chain's name, every rule before and the rule, as in iptables: equal lists of
// hashes mean equal chains.
void NftablesTables::add_rule(Chain& chain, Expressions expressions, std::string_view comment,
                              size_t source) const {
  const std::string previous =
      chain.rules.empty() ? layer_prefix(chain.layer) + chain.name : chain.rules.back().hash;
  std::string text = previous + "\n" + std::string(comment) + "\n";
  text.append(reinterpret_cast<const char*>(expressions.data()), expressions.size());
  Rule rule{.expressions = std::move(expressions),
            .hash = policy::digest(text, k_hash_length),
            .source = source};
  rule.comment = std::string(k_hash_comment) + rule.hash;
  if (!comment.empty()) rule.comment += " " + plain(comment);
  chain.rules.push_back(std::move(rule));
}

NftablesTables::Chain NftablesTables::compile(Layer layer, const PacketChain& chain) const {
  Chain out{.layer = layer, .name = chain.name, .stands_alone = chain.stands_alone};
  for (size_t i = 0; i < chain.rules.size(); ++i) {
    const auto& rule = chain.rules[i];
    for (auto& expressions : to_expressions(rule, family_, layer_prefix(layer)))
      add_rule(out, std::move(expressions), rule.comment, i);
    nftables::add_sets(rule, family_, out.sets);
    if (chain.stands_alone) out.words.push_back(describe(rule, family_));
  }
  return out;
}

void NftablesTables::make_dispatch(std::string_view name, bool comes_in, const char* map) {
  Chain chain{.layer = Layer::filter, .name = std::string(name)};
  add_rule(chain, dispatch_expressions(comes_in, map), "", 0);
  const PacketRule drop{{}, Verdict::drop, "Unknown interface"};
  add_rule(chain, to_expressions(drop, family_, "").front(), drop.comment, 1);
  chain.sets.insert(map);
  const std::string full_name = layer_prefix(Layer::filter) + chain.name;
  set(full_name, std::move(chain));
  dispatch_[map];
}

void NftablesTables::set(const std::string& full_name, Chain chain) {
  auto& kept = chains_[full_name];
  if (!std::ranges::equal(kept.rules, chain.rules, {}, &Rule::hash, &Rule::hash)) allow(full_name);
  kept = std::move(chain);
  dirty_.insert(full_name);
}

void NftablesTables::set_chain(Layer layer, const PacketChain& chain) {
  set(layer_prefix(layer) + chain.name, compile(layer, chain));
}

void NftablesTables::remove_chain(Layer layer, const std::string& name) {
  const std::string full_name = layer_prefix(layer) + name;
  allow(full_name);
  if (chains_.erase(full_name) > 0) dirty_.insert(full_name);
}

void NftablesTables::set_hook(Layer layer, const std::string& hook, bool wanted) {
  if (!wanted) return remove_chain(layer, hook);
  auto chain = compile(layer, {hook, {{{}, jump("cali-" + hook)}}});
  chain.hook = hook_of(layer, hook);
  set(layer_prefix(layer) + hook, std::move(chain));
}

void NftablesTables::set_workload(const std::string& interface_name, bool known) {
  const std::string prefix = layer_prefix(Layer::filter);
  const auto set_one = [&](const char* map, const std::string& chain) {
    auto& dispatch = dispatch_[map];
    const bool changed = known ? dispatch.emplace(interface_name, prefix + chain).second
                               : dispatch.erase(interface_name) > 0;
    if (changed) dirty_dispatch_[map].insert(interface_name);
  };
  set_one(k_from_workload_map, from_workload_chain(interface_name));
  set_one(k_to_workload_map, to_workload_chain(interface_name));
}

void NftablesTables::set_members(std::string_view id, policy::SetType type,
                                 const policy::SetMembers& members) {
  sets_.set(kernel_set_name(family_, id), type, members);
}

void NftablesTables::change_members(std::string_view id,
                                    const std::vector<policy::SetMember>& added,
                                    const std::vector<policy::SetMember>& removed) {
  sets_.change(kernel_set_name(family_, id), added, removed);
}

void NftablesTables::remove_set(std::string_view id) { sets_.remove(kernel_set_name(family_, id)); }

const NftablesTables::Chain* NftablesTables::wanted(const std::string& full_name) const {
  if (const auto closed = closed_.find(full_name); closed != closed_.end()) return &closed->second;
  const auto desired = chains_.find(full_name);
  return desired == chains_.end() ? nullptr : &desired->second;
}

// ---- refusals -----------------------------------------------------------------------------------

void NftablesTables::refuse(const std::string& full_name, std::string rule, std::string reason) {
  const auto& chain = chains_.at(full_name);
  refused_[chain.layer].insert_or_assign(
      chain.name, RefusedChain{chain.name, std::move(rule), std::move(reason)});
  Chain closed{.layer = chain.layer, .name = chain.name, .stands_alone = true};
  const PacketRule drop{{}, Verdict::drop, "A rule of this chain was refused"};
  add_rule(closed, to_expressions(drop, family_, "").front(), drop.comment, 0);
  closed_.insert_or_assign(full_name, std::move(closed));
  dirty_.insert(full_name);
}

void NftablesTables::allow(const std::string& full_name) {
  refused_for_sets_.erase(full_name);
  const auto closed = closed_.find(full_name);
  if (closed == closed_.end()) return;
  refused_[closed->second.layer].erase(closed->second.name);
  closed_.erase(closed);
  dirty_.insert(full_name);
}

const std::map<std::string, RefusedChain>& NftablesTables::refused(Layer layer) const {
  static const std::map<std::string, RefusedChain> none;
  const auto found = refused_.find(layer);
  return found == refused_.end() ? none : found->second;
}

// What was refused for want of a set is tried again, as the set is.
Result<> NftablesTables::write_sets() {
  sets_.allow_all();
  const auto chains = refused_for_sets_;
  for (const auto& chain : chains) allow(chain);
  return {};
}

Result<> NftablesTables::remove_unused_sets() {
  if (sets_.refused().empty()) return {};
  const auto& [name, reason] = *sets_.refused().begin();
  return base::fail(base::ErrorCode::unavailable, fmt::format("set {}: {}", name, reason));
}

bool NftablesTables::refuse(const Transaction& transaction,
                            const std::vector<BatchSocket::Failure>& failures) {
  bool closed_some = false;
  for (const auto& failure : failures) {
    if (is_passing(failure.error)) continue;
    const auto& origin = transaction.origins.at(failure.message);
    if (origin.kind == Origin::Kind::set && sets_.has(origin.name)) {
      closed_some |= !sets_.refused().contains(origin.name);
      sets_.refuse(origin.name, failure.reason);
    }
  }
  // Without the set its rules fail too, but for the set's reason.
  for (const auto& [name, reason] : sets_.refused())
    for (const auto& [full_name, chain] : chains_)
      if (chain.stands_alone && chain.sets.contains(name) && !closed_.contains(full_name)) {
        refuse(full_name, "", fmt::format("set {}: {}", name, reason));
        refused_for_sets_.insert(full_name);
      }
  for (const auto& failure : failures) {
    const auto& origin = transaction.origins.at(failure.message);
    if (is_passing(failure.error) || origin.kind != Origin::Kind::rule ||
        closed_.contains(origin.name))
      continue;
    const auto chain = chains_.find(origin.name);
    if (chain == chains_.end() || !chain->second.stands_alone) continue;
    refuse(origin.name, chain->second.words.at(chain->second.rules.at(origin.rule).source),
           failure.reason);
    closed_some = true;
  }
  return closed_some;
}

// ---- the kernel ---------------------------------------------------------------------------------

void NftablesTables::forget_rules() {
  rules_known_ = false;
  std::vector<std::string> closed;
  for (const auto& [full_name, chain] : closed_) closed.push_back(full_name);
  for (const auto& full_name : closed) allow(full_name);
}

Result<> NftablesTables::load() {
  if (!rules_known_) {
    MARGAY_TRY(kernel_, read_rules(sockets_->read, family_));
    if (!kernel_.table) sets_known_ = false;
    for (const auto& [name, chain] : chains_) dirty_.insert(name);
    for (const auto& [name, chain] : kernel_.chains) dirty_.insert(name);
    rules_known_ = true;
  }
  if (!sets_known_) {
    MARGAY_TRY(auto found, read_sets(sockets_->read, family_));
    sets_.learn(std::move(found.sets));
    kernel_maps_ = std::move(found.maps);
    for (const auto& [map, chains] : dispatch_) {
      auto& dirty = dirty_dispatch_[map];
      for (const auto& [name, chain] : chains) dirty.insert(name);
      if (const auto there = kernel_maps_.find(map); there != kernel_maps_.end())
        for (const auto& [name, chain] : there->second.chains) dirty.insert(name);
    }
    sets_known_ = true;
  }
  return {};
}

Result<> NftablesTables::write_rules(const std::set<Layer>&) {
  bool read_now = !rules_known_ || !sets_known_;
  while (true) {
    MARGAY_CHECK(load());
    Transaction transaction = difference();
    if (transaction.batch.empty()) return assume_written(), Result<>{};
    ++sockets_->written.transactions;
    sockets_->written.bytes += transaction.batch.bytes();
    const auto failures = sockets_->write.commit(std::move(transaction.batch));
    if (failures && failures->empty()) return assume_written(), Result<>{};
    rules_known_ = sets_known_ = false;
    if (!failures) return base::fail(failures.error());
    // The first time, another program may have changed the table under us: judge by what is there.
    if (!read_now) {
      spdlog::info("nftables: reading the table again: {}", failures->front().reason);
      read_now = true;
      continue;
    }
    if (!refuse(transaction, *failures)) {
      const auto& first = failures->front();
      const auto& origin = transaction.origins.at(first.message);
      return base::fail(base::ErrorCode::unavailable,
                        fmt::format("nftables: {}{}{}", origin.name,
                                    origin.name.empty() ? "" : ": ", first.reason));
    }
  }
}

Result<bool> NftablesTables::resume() {
  rules_known_ = false;
  MARGAY_CHECK(load());
  const auto rules_of = [&](Layer layer, std::string_view name) {
    const auto found = kernel_.chains.find(layer_prefix(layer) + std::string(name));
    return found != kernel_.chains.end() &&
           std::ranges::any_of(found->second.hashes,
                               [](const std::string& hash) { return !hash.empty(); });
  };
  for (const auto chain : {std::string_view("cali-FORWARD"), std::string_view("cali-INPUT"),
                           std::string_view("cali-OUTPUT"), k_workload_to_host,
                           k_from_workload_dispatch, k_to_workload_dispatch})
    if (!rules_of(Layer::filter, chain)) return false;
  if (!kernel_.table || !rules_of(Layer::raw, "cali-PREROUTING")) return false;
  // Leads packets to ours again, where another program has cut that off.
  NftablesTables hooks(family_, sockets_);
  hooks.sweep_ = Sweep::nothing;
  hooks.chains_.clear();
  hooks.dirty_.clear();
  hooks.dispatch_.clear();
  for (const char* hook : {"INPUT", "FORWARD", "OUTPUT"}) hooks.set_hook(Layer::filter, hook, true);
  hooks.set_hook(Layer::raw, "PREROUTING", true);
  MARGAY_CHECK(hooks.write_rules());
  forget_rules();
  return true;
}

std::unique_ptr<FamilyTables> NftablesTables::for_closed_start() {
  auto closed = std::make_unique<NftablesTables>(family_, sockets_);
  closed->sweep_ = Sweep::raw_and_filter_chains;
  return closed;
}

Result<> NftablesTables::clean_up() {
  forget_rules();
  forget_sets();
  MARGAY_TRY(const auto there, read_rules(sockets_->read, family_));
  if (!there.table && there.chains.empty()) return {};
  Batch batch;
  remove_table(batch, family_);
  MARGAY_TRY(const auto failures, sockets_->write.commit(std::move(batch)));
  if (failures.empty()) return {};
  return base::fail(base::ErrorCode::unavailable, "nftables: " + failures.front().reason);
}

}  // namespace margay::dataplane::nftables
