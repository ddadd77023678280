#pragma once

// Brings the form that workers read (prefix_nodes.h) in line with the control side's tree after one
// prefix changed, by rewriting only what the change touches; or makes all of it from the tree.
//
// Readers may be under way: new blocks are complete before the one store that makes them visible,
// and what they replace is handed to `retired`, to be freed once no worker can see it.

#include <functional>
#include <vector>

#include "vector/prefix_nodes.h"

namespace margay::vector {

template <typename Nodes>
class PrefixUpdate {
 public:
  using Key = typename Nodes::Key;
  using Tree = PrefixTree<Key>;

  PrefixUpdate(const Tree& tree, Entry* root, BlockPool& blocks, std::vector<Entry>& retired)
      : tree_(tree), root_(root), blocks_(blocks), retired_(retired) {}

  // Calls this after each store that a reader could see.
  void watch(std::function<void()> watcher) { watcher_ = std::move(watcher); }

  // All addresses that this prefix decides for have another value now. The tree has it already.
  void changed(Key key, unsigned length);
  // From an empty root.
  void build();

  static size_t block_bytes(const BlockPool& blocks, Entry node);

 private:
  using Match = typename Nodes::Match;
  struct Slots;

  void fill_root(size_t first, size_t last, uint32_t node, uint32_t inherited);
  void set_root(size_t first, size_t end, Entry value);
  void renew_root(size_t index, uint32_t node, uint32_t inherited);

  Entry renew(uint32_t node, unsigned from, uint32_t inherited, Entry old);
  Entry renew_leaf(Key key, unsigned length, uint32_t value, uint32_t inherited, Entry old);
  Entry renew_branch(uint32_t node, unsigned from, uint32_t inherited, Entry old);
  void survey(uint32_t node, unsigned from, uint32_t inherited, Slots& slots) const;
  Entry store_branch(Entry old, unsigned from, const std::array<Entry, k_slots>& before,
                     const std::array<Entry, k_slots>& now);

  std::array<Entry, k_slots> spread(Entry old, unsigned from);
  Entry descend(Entry old, unsigned from, unsigned to, Key key);
  Entry match(Key key, unsigned length, Entry inside, Entry outside);
  Entry with(Entry old, Entry inside, Entry outside);
  void discard(Entry entry);
  void retire(Entry node) { retired_.push_back(node); }
  void publish(Entry& entry, Entry now) {
    store(entry, now);
    if (watcher_) watcher_();
  }

  // A prefix inside the changed one: what it decides for has not changed.
  bool is_shelter(const typename Tree::Node& node) const {
    return !building_ && node.value != 0 && node.length > length_;
  }
  Match* match_at(Entry entry) const { return blocks_.at<Match>(entry & k_block); }
  Branch* branch_at(Entry entry) const { return blocks_.at<Branch>(entry & k_block); }

  const Tree& tree_;
  Entry* root_;
  BlockPool& blocks_;
  std::vector<Entry>& retired_;
  std::function<void()> watcher_;
  Key key_ = 0;
  unsigned length_ = 0;
  bool building_ = false;
};

}  // namespace margay::vector
