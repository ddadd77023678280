#pragma once

// The control thread's record of a map from keys to classes that workers read while it is changed
// in place (a PrefixMap, a NamedPortTable), and the two steps by which a change gets there:
// `stage` writes transitions (vector/classifier/transitions.h) before the snapshot of their
// generation is published, `commit` replaces them when no older snapshot is held any more.

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "vector/classifier/atom_sets.h"
#include "vector/classifier/transitions.h"

namespace margay::vector {

struct StagedNode {
  uint32_t own = 0;        // atoms that name exactly this key; a reference
  uint32_t effective = 0;  // and those of what covers it; a reference
  uint32_t mapped = 0;     // what the map holds: 0 for nothing, a transition, or a class (with a
                           // reference)
  uint64_t leaves = 0;     // the generation that removes the key
  bool dirty = false;
};

// `Map` has set(key, value) and erase(key).
template <typename Key, typename Map>
class StagedClasses {
 public:
  using Nodes = std::map<Key, StagedNode>;
  using Node = typename Nodes::iterator;

  StagedClasses(AtomSets& sets, Map& map) : sets_(sets), map_(map) {}

  Nodes& nodes() { return nodes_; }
  size_t transitions() const { return transitions_.live(); }
  uint32_t resolve(uint32_t value, uint64_t generation) const {
    return transitions_.resolve(value, generation);
  }

  // Each takes the reference that comes with the set.
  void set_own(Node node, uint32_t set) { replace(node, node->second.own, set); }
  void set_effective(Node node, uint32_t set) { replace(node, node->second.effective, set); }

  // `covering(key)`: what the map holds for what covers the key. `use(class)` is called for
  // each class that readers may meet from now on.
  void stage(uint64_t generation, auto covering, auto use);
  // The generation's readers are the oldest. Returns transitions that are nowhere in the map now:
  // `release` them after another grace period.
  std::vector<uint32_t> commit(uint64_t generation);
  void release(const std::vector<uint32_t>& spent);

 private:
  struct Staged {
    uint64_t generation;
    std::vector<Key> keys;
    std::vector<uint32_t> transitions;
  };

  void replace(Node node, uint32_t& member, uint32_t set) {
    sets_.unref(std::exchange(member, set));
    if (std::exchange(node->second.dirty, true)) return;
    dirty_.push_back(node->first);
  }
  void map_to(Node node, uint32_t value);
  void unmap(Node node);
  uint32_t transition(uint32_t before, uint32_t after, Staged& staged);
  void stage_one(Node node, uint32_t before, Staged& staged);
  void commit_one(Node node, uint64_t generation);

  AtomSets& sets_;
  Map& map_;
  Transitions transitions_;
  Nodes nodes_;
  std::vector<Key> dirty_;
  std::vector<Staged> staged_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> pairs_;  // (before, after) -> transition
};

template <typename Key, typename Map>
void StagedClasses<Key, Map>::map_to(Node node, uint32_t value) {
  const uint32_t old = std::exchange(node->second.mapped, value);
  if (!Transitions::is_transition(value)) sets_.ref(value);
  map_.set(node->first, value);
  if (old != 0 && !Transitions::is_transition(old)) sets_.unref(old);
}

template <typename Key, typename Map>
void StagedClasses<Key, Map>::unmap(Node node) {
  const uint32_t old = std::exchange(node->second.mapped, 0);
  if (old == 0) return;
  map_.erase(node->first);
  if (!Transitions::is_transition(old)) sets_.unref(old);
}

template <typename Key, typename Map>
uint32_t StagedClasses<Key, Map>::transition(uint32_t before, uint32_t after, Staged& staged) {
  const auto [found, is_new] = pairs_.try_emplace({before, after});
  if (!is_new) return found->second;
  if (!Transitions::is_transition(before)) sets_.ref(before);
  sets_.ref(after);
  found->second = transitions_.add(before, after, staged.generation);
  staged.transitions.push_back(found->second);
  return found->second;
}

template <typename Key, typename Map>
void StagedClasses<Key, Map>::stage_one(Node node, uint32_t before, Staged& staged) {
  StagedNode& n = node->second;
  n.dirty = false;
  const bool goes = n.own == AtomSets::k_empty;
  if (goes && n.mapped == 0) {  // came and went between two generations
    sets_.unref(n.effective);
    nodes_.erase(node);
    return;
  }
  n.leaves = goes ? staged.generation : 0;
  const bool moved = transitions_.resolve(before, staged.generation) != n.effective;
  if (moved)
    map_to(node, transition(before, n.effective, staged));
  else if (n.mapped == 0)
    map_to(node, before == n.effective ? before : transition(before, n.effective, staged));
  if (moved || goes || Transitions::is_transition(n.mapped)) staged.keys.push_back(node->first);
}

template <typename Key, typename Map>
void StagedClasses<Key, Map>::stage(uint64_t generation, auto covering, auto use) {
  if (dirty_.empty()) return;
  // What covers comes before what it covers.
  std::ranges::sort(dirty_);
  const auto repeated = std::ranges::unique(dirty_);
  dirty_.erase(repeated.begin(), repeated.end());
  Staged& staged = staged_.emplace_back(Staged{generation, {}, {}});
  for (const Key& key : std::exchange(dirty_, {})) {
    const Node node = nodes_.find(key);
    if (node == nodes_.end()) continue;  // committed away meanwhile
    use(node->second.effective);
    const uint32_t mapped = node->second.mapped;
    stage_one(node, mapped != 0 ? mapped : covering(key), staged);
  }
  pairs_.clear();
}

template <typename Key, typename Map>
void StagedClasses<Key, Map>::commit_one(Node node, uint64_t generation) {
  StagedNode& n = node->second;
  const bool is_due =
      Transitions::is_transition(n.mapped) && transitions_.generation(n.mapped) <= generation;
  const bool goes = n.leaves == generation && n.own == AtomSets::k_empty;
  if (goes || (is_due && transitions_.after(n.mapped) == AtomSets::k_empty))
    unmap(node);
  else if (is_due)
    map_to(node, transitions_.after(n.mapped));
  if (!goes) return;
  sets_.unref(n.effective);
  nodes_.erase(node);
}

template <typename Key, typename Map>
std::vector<uint32_t> StagedClasses<Key, Map>::commit(uint64_t generation) {
  std::vector<uint32_t> spent;
  const auto is_due = [&](const Staged& staged) { return staged.generation <= generation; };
  for (const Staged& staged : staged_) {
    if (!is_due(staged)) continue;
    for (const Key& key : staged.keys)
      if (const Node node = nodes_.find(key); node != nodes_.end())
        commit_one(node, staged.generation);
    spent.insert(spent.end(), staged.transitions.begin(), staged.transitions.end());
  }
  std::erase_if(staged_, is_due);
  return spent;
}

template <typename Key, typename Map>
void StagedClasses<Key, Map>::release(const std::vector<uint32_t>& spent) {
  for (const uint32_t each : spent) {
    if (const uint32_t before = transitions_.before(each); !Transitions::is_transition(before))
      sets_.unref(before);
    sets_.unref(transitions_.after(each));
    transitions_.release(each);
  }
}

}  // namespace margay::vector
