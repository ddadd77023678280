#include "vector/prefix_map.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "vector/mapping.h"
#include "vector/prefix_update.h"

namespace margay::vector {
namespace {

// Address space, not memory. The tree is used up first, and then nothing has changed yet: a prefix
// needs a few blocks at most.
constexpr size_t k_tree_bytes = size_t{1} << 31;
constexpr size_t k_block_bytes = size_t{1} << 33;

constexpr size_t k_in_flight = 64;

}  // namespace

template <typename Nodes>
struct PrefixMap<Nodes>::State {
  static constexpr size_t k_root_entries = size_t{1} << Nodes::k_root_bits;

  PrefixTree<Key> tree{k_tree_bytes};
  MappedArray<Entry> root{k_root_entries};
  BlockPool blocks{k_block_bytes};
};

template <typename Nodes>
PrefixMap<Nodes>::PrefixMap(Rcu& rcu)
    : rcu_(rcu), state_(std::make_shared<State>()), published_(state_.get()) {}

template <typename Nodes>
PrefixMap<Nodes>::~PrefixMap() {
  rcu_.defer([state = std::move(state_)] {});
}

template <typename Nodes>
auto PrefixMap<Nodes>::checked_key(const base::Prefix& prefix) -> Key {
  if (prefix.family() != Nodes::k_family)
    throw std::invalid_argument(prefix.to_string() + " is of the other family");
  return Nodes::key(prefix.address());
}

template <typename Nodes>
void PrefixMap<Nodes>::check_value(uint32_t value) {
  if (value == 0 || value > k_largest_value)
    throw std::invalid_argument(std::to_string(value) + " is no value for a prefix");
}

template <typename Nodes>
bool PrefixMap<Nodes>::set(const base::Prefix& prefix, uint32_t value) {
  const Key key = checked_key(prefix);
  check_value(value);
  const auto met = state_->tree.set(key, prefix.length(), value);
  if (value != (met.own != 0 ? met.own : met.above)) renew(key, prefix.length());
  return met.own == 0;
}

template <typename Nodes>
bool PrefixMap<Nodes>::erase(const base::Prefix& prefix) {
  const Key key = checked_key(prefix);
  const auto met = state_->tree.erase(key, prefix.length());
  if (met.own == 0) return false;
  if (met.own != met.above) renew(key, prefix.length());
  return true;
}

template <typename Nodes>
void PrefixMap<Nodes>::renew(Key key, unsigned length) {
  std::vector<Entry> retired;
  PrefixUpdate<Nodes>(state_->tree, state_->root.data(), state_->blocks, retired)
      .changed(key, length);
  if (retired.empty()) return;
  rcu_.defer([state = state_, retired = std::move(retired)] {
    for (const Entry node : retired)
      state->blocks.free(node & k_block, PrefixUpdate<Nodes>::block_bytes(state->blocks, node));
  });
}

template <typename Nodes>
void PrefixMap<Nodes>::assign(std::span<const std::pair<base::Prefix, uint32_t>> content) {
  struct Line {
    Key key;
    uint32_t length, value;
  };
  std::vector<Line> lines;
  lines.reserve(content.size());
  for (const auto& [prefix, value] : content) {
    check_value(value);
    lines.push_back({checked_key(prefix), prefix.length(), value});
  }
  // In order, the tree is built with what lies in the cache.
  std::ranges::stable_sort(lines, {}, &Line::key);

  auto made = std::make_shared<State>();
  for (const Line& line : lines) made->tree.set(line.key, line.length, line.value);
  std::vector<Entry> retired;
  PrefixUpdate<Nodes>(made->tree, made->root.data(), made->blocks, retired).build();
  published_.store(made.get(), std::memory_order_release);
  rcu_.defer([old = std::exchange(state_, std::move(made))] {});
}

template <typename Nodes>
uint32_t PrefixMap<Nodes>::find(const base::Prefix& prefix) const {
  return state_->tree.find(checked_key(prefix), prefix.length());
}

template <typename Nodes>
size_t PrefixMap<Nodes>::size() const {
  return state_->tree.size();
}

template <typename Nodes>
size_t PrefixMap<Nodes>::memory() const {
  return State::k_root_entries * sizeof(Entry) + state_->blocks.memory() + state_->tree.memory();
}

template <typename Nodes>
uint32_t PrefixMap<Nodes>::lookup(const Address& address) const {
  const State& state = *published_.load(std::memory_order_acquire);
  return finish<Nodes>(state.blocks, load(state.root[Nodes::root_index(address)]), address);
}

// Level by level: each round takes all addresses that are not at their value yet one step, and
// fetches what their next step reads. Which those are is kept in two lists, so that neither the
// depth nor the kind of a node is a branch for the processor to guess.
template <typename Nodes>
void PrefixMap<Nodes>::lookup_many(std::span<const Address> addresses, uint32_t* values) const {
  const State& state = *published_.load(std::memory_order_acquire);
  using Match = typename Nodes::Match;
  while (!addresses.empty()) {
    const size_t n = std::min(addresses.size(), k_in_flight);
    std::array<uint8_t, k_in_flight> branches, matches;
    size_t branch_count = 0, match_count = 0;
    const auto arrive = [&](size_t i, Entry entry) {
      values[i] = entry;
      __builtin_prefetch(state.blocks.at(is_node(entry) ? entry & k_block : 0));
      branches[branch_count] = static_cast<uint8_t>(i);
      branch_count += is_branch(entry);
      matches[match_count] = static_cast<uint8_t>(i);
      match_count += is_match(entry);
    };
    for (size_t i = 0; i < n; ++i) arrive(i, load(state.root[Nodes::root_index(addresses[i])]));
    while ((branch_count | match_count) != 0) {
      const size_t branch_steps = std::exchange(branch_count, 0);
      for (size_t j = 0; j < branch_steps; ++j) {
        const size_t i = branches[j];
        const auto* branch = state.blocks.template at<Branch>(values[i] & k_block);
        arrive(i, branch->at(Nodes::slot(addresses[i], branch->window)));
      }
      const size_t match_steps = std::exchange(match_count, 0);
      for (size_t j = 0; j < match_steps; ++j) {
        const size_t i = matches[j];
        arrive(i, state.blocks.template at<Match>(values[i] & k_block)->at(addresses[i]));
      }
    }
    addresses = addresses.subspan(n);
    values += n;
  }
}

template class PrefixMap<PrefixNodes4>;
template class PrefixMap<PrefixNodes6>;

}  // namespace margay::vector
