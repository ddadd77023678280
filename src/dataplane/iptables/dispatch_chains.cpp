#include "dataplane/iptables/dispatch_chains.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

using Names = std::vector<std::string>;

class Tree {
 public:
  explicit Tree(const Dispatch& dispatch) : dispatch_(dispatch) {}

  // Adds the rules for `names`, all of which begin with `prefix`, to a chain of this name.
  void add_branch(const std::string& chain_name, const std::string& prefix, const Names& names) {
    Chain chain{chain_name, {}};
    add_names(chain, prefix, names);
    add(std::move(chain));
  }

  void add_names(Chain& chain, const std::string& prefix, const Names& names) {
    if (names.size() <= k_dispatch_fan_out || prefix.size() - root_length_ == k_dispatch_depth) {
      for (const auto& name : names) add_leaf(chain, name);
      return;
    }
    std::map<char, Names> branches;
    for (const auto& name : names) {
      if (name.size() == prefix.size()) {
        add_leaf(chain, name);
      } else {
        branches[name[prefix.size()]].push_back(name);
      }
    }
    for (const auto& [next, members] : branches) {
      const std::string longer = prefix + next;
      const std::string branch =
          branch_chain(dispatch_.chain, family_of_names_ + longer.substr(root_length_));
      chain.rules.push_back(
          {fmt::format("{} {}+", dispatch_.interface, longer), fmt::format("-g {}", branch)});
      add_branch(branch, longer, members);
    }
  }

  void add(Chain chain) {
    chain.rules.push_back({"", "-j DROP", "Unknown interface"});
    chains_.push_back(std::move(chain));
  }

  // What the names to come begin with. `family`: tells their branches from others'.
  void set_root(size_t length, std::string family) {
    root_length_ = length;
    family_of_names_ = std::move(family);
  }
  std::vector<Chain> take() { return std::move(chains_); }

 private:
  void add_leaf(Chain& chain, const std::string& name) {
    chain.rules.push_back({fmt::format("{} {}", dispatch_.interface, name),
                           fmt::format("-g {}", dispatch_.endpoint_chain(name))});
  }

  const Dispatch& dispatch_;
  size_t root_length_ = 0;
  std::string family_of_names_;
  std::vector<Chain> chains_;
};

}  // namespace

std::vector<Chain> dispatch_chains(const Dispatch& dispatch,
                                   const std::set<std::string>& interfaces,
                                   const std::vector<std::string>& prefixes) {
  Tree tree(dispatch);
  Chain root{dispatch.chain, {}};
  for (size_t i = 0; i < prefixes.size(); ++i) {
    const auto& prefix = prefixes[i];
    Names names;
    std::ranges::copy_if(interfaces, std::back_inserter(names),
                         [&](const std::string& name) { return name.starts_with(prefix); });
    tree.set_root(prefix.size(), prefixes.size() == 1 ? "" : fmt::format("{}.", i));
    tree.add_names(root, prefix, names);
  }
  tree.add(std::move(root));
  return tree.take();
}

}  // namespace margay::dataplane::iptables
