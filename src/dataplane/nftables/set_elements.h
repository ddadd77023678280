#pragma once

// The sets of one family: the members that are wanted, what the kernel is known to have, and the
// elements by which they differ.
//
// An interval set takes no element that lies within another, so of nets only those that no wider
// one of the set covers are elements; a net that goes brings back those it covered. Only what was
// touched is compared: the cost is that of the change (and of the nets it covers), not of the set.
// One thread.

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/program.h"

namespace margay::dataplane::nftables {

class SetElements {
 public:
  explicit SetElements(policy::IPFamily family) : family_(family) {}

  // Members of the other family are left out. Names are the kernel's.
  void set(const std::string& name, policy::SetType type, const policy::SetMembers& members);
  void change(const std::string& name, const std::vector<policy::SetMember>& added,
              const std::vector<policy::SetMember>& removed);
  void remove(const std::string& name);

  using Elements = std::set<policy::SetMember>;
  struct KernelSet {
    std::optional<policy::SetType> type;  // none: one that we never make
    Elements elements;
  };
  // All that the kernel has: everything is compared with it.
  void learn(std::map<std::string, KernelSet> kernel);

  struct Difference {
    std::string name;
    policy::SetType type = policy::SetType::nets;
    bool rebuild = false;  // the kernel has another of that name, which has to go first
    bool create = false;
    std::vector<policy::SetMember> added, removed;
  };
  // In order of name. What is refused is left out.
  std::vector<Difference> differences() const;
  // Those that the kernel has and that are not wanted.
  std::set<std::string> superfluous() const;
  // The differences were written, and what is superfluous was removed if so.
  void assume_written(bool removed);

  bool has(const std::string& name) const { return desired_.contains(name); }
  // Not to be written until allow_all() or until it is set anew.
  void refuse(const std::string& name, std::string reason);
  void allow_all();
  const std::map<std::string, std::string>& refused() const { return refused_; }

 private:
  struct Desired {
    policy::SetType type = policy::SetType::nets;
    Elements members;
    std::array<size_t, 129> of_length{};  // how many nets there are of each length
  };

  void insert(const std::string& name, Desired& set, const policy::SetMember& member);
  void erase(const std::string& name, Desired& set, const policy::SetMember& member);
  void touch(const std::string& name, const Desired& set, const policy::SetMember& member);
  static bool is_element(const Desired& set, const policy::SetMember& member);

  policy::IPFamily family_;
  std::map<std::string, Desired> desired_;
  std::map<std::string, KernelSet> kernel_;
  std::map<std::string, Elements> pending_;  // to be compared; an entry for each changed set
  std::set<std::string> superfluous_;
  std::map<std::string, std::string> refused_;
};

}  // namespace margay::dataplane::nftables
