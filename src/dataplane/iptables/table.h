#pragma once

// One iptables table of one family: the desired chains, what is known to be in the kernel, and the
// least that has to be written to get from one to the other.
//
// Owns every chain whose name begins with "cali-", and in the kernel's own chains the rules that
// carry our comment (or jump to a chain of ours): these stand first, in the given order. Nothing
// else is touched. A chain is written whole or not at all, all touched chains of the table in one
// atomic iptables-restore, so no packet ever sees half of a change. One thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/iptables/chain.h"
#include "dataplane/iptables/commands.h"
#include "dataplane/iptables/saved_table.h"

namespace margay::dataplane::iptables {

class Table {
 public:
  // `commands` outlives this.
  Table(policy::IPFamily family, std::string name, Commands& commands);

  void set_chain(const Chain& chain);
  void remove_chain(const std::string& name);
  // The rules of ours at the top of a chain that the kernel made ("FORWARD"). None: removes them.
  void set_insertions(const Chain& kernel_chain);

  // Reads the kernel's table if what it holds is not known, writes the difference, and after a
  // first or repaired state reads again to verify. On error the kernel has the state it had.
  base::Result<> apply();
  // The next apply() reads the kernel's table anew.
  void resync() { actual_.reset(); }

  // Whether the kernel has the chain now; reads the table if needed.
  base::Result<bool> has_chain(const std::string& name);

 private:
  using Hashes = std::vector<std::string>;
  struct Actual {
    std::map<std::string, Hashes, std::less<>> chains;  // ours
    std::map<std::string, std::vector<SavedRule>, std::less<>> kernel_chains;
  };

  base::Result<> apply_once();
  base::Result<> load();
  std::string difference() const;
  void add_chain_difference(const std::string& name, std::string& declared, std::string& rules,
                            std::string& removed) const;
  void add_insertions_difference(const std::string& name, std::string& rules) const;
  void assume_written();

  policy::IPFamily family_;
  std::string name_;
  Commands& commands_;
  std::map<std::string, std::vector<HashedRule>> chains_;
  std::map<std::string, std::vector<HashedRule>> insertions_;
  std::set<std::string> dirty_chains_;  // may differ from actual
  std::set<std::string> dirty_insertions_;
  std::optional<Actual> actual_;
  bool verify_ = false;
};

}  // namespace margay::dataplane::iptables
