#pragma once

// The IP sets of one family: the desired members, and the least that has to be told to ipset.
//
// Owns every set whose name begins with set_prefix() or temporary_set_prefix() of the family.
// Single changes are single adds and removes; a set that is replaced, or whose type in the kernel
// is too small, is built beside the old one and swapped in, so that it is never half full.
// Call apply_updates() before the rules that name new sets are written, and apply_removals() after
// the rules that named old ones are gone. One thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/difference.h"
#include "dataplane/iptables/commands.h"
#include "policy/program.h"

namespace margay::dataplane::iptables {

class IPSets {
 public:
  // `commands` outlives this. A set of more than `max_size` members is refused.
  IPSets(policy::IPFamily family, Commands& commands, size_t max_size);

  // Members of the other family are left out.
  void set(std::string_view id, policy::SetType type, const policy::SetMembers& members);
  void change(std::string_view id, const std::vector<policy::SetMember>& added,
              const std::vector<policy::SetMember>& removed);
  void remove(std::string_view id);

  // On error: either nothing is known to be done, or the sets of refused() could not be brought to
  // what is desired, and the others are. Either way call again.
  base::Result<> apply_updates();
  // By the set's name in the kernel, what it said.
  const std::map<std::string, std::string>& refused() const { return refused_; }
  // A set that the kernel still holds in use stays for the next call.
  base::Result<> apply_removals();
  void resync() { kernel_.reset(); }

  // Reads the kernel's anew.
  base::Result<Differences> differences();

  // Whether apply_removals() has something left to do.
  bool has_removals() const;

 private:
  using Members = std::set<policy::SetMember>;
  struct Set {
    policy::SetType type = policy::SetType::nets;
    Members members;
  };
  struct Pending {
    Members added, removed;  // as the kernel holds them
    bool rewrite = false;
  };
  struct Header {
    std::optional<policy::SetType> type;  // none: one that we never make
    size_t capacity = 0;
  };

  struct Change {
    std::string set;
    std::string lines;
  };

  base::Result<> load();
  std::vector<Change> difference() const;
  base::Result<> write_updates();
  void add_difference(const std::string& name, const Pending& pending, std::string& input) const;
  void add_filled(const std::string& name, const Set& set, std::string& input) const;

  policy::IPFamily family_;
  Commands& commands_;
  const size_t max_size_;
  std::map<std::string, Set> desired_;
  std::map<std::string, Pending> pending_;
  std::optional<std::map<std::string, Header>> kernel_;  // the sets that exist, ours only
  std::map<std::string, std::string> refused_;           // by the last apply_updates()
};

// A member as ipset reads it: "10.0.0.0/8", "10.0.0.1,tcp:80".
std::string to_text(policy::SetType type, const policy::SetMember& member);
base::Result<policy::SetMember> parse_member(policy::SetType type, std::string_view text);

}  // namespace margay::dataplane::iptables
