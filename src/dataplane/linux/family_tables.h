#pragma once

// Where the rules and sets of one IP family are kept in the kernel. A seam: FamilyRules
// (family_rules.h) says what is wanted, iptables and nftables each bring the kernel there.
//
// Owns every chain and set whose name is one of ours (names.h), and whatever leads packets to them;
// nothing else is touched. What was last said of a chain, a set or a workload holds until something
// else is said. One thread.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataplane/difference.h"
#include "dataplane/linux/packet_rule.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

// A chain that stands alone and that the kernel does not take: it drops every packet instead.
struct RefusedChain {
  std::string name;
  std::string rule;        // the first that is refused; empty: not found
  std::string reason;      // what was said against it
  bool is_certain = true;  // false: it is one of several, of which one is
};

class FamilyTables {
 public:
  virtual ~FamilyTables() = default;

  virtual void set_chain(Layer layer, const PacketChain& chain) = 0;
  virtual void remove_chain(Layer layer, const std::string& name) = 0;
  // Whether packets at a hook ("INPUT") pass the layer's chain "cali-<hook>", before all others.
  virtual void set_hook(Layer layer, const std::string& hook, bool wanted) = 0;
  // Whether the interface has a workload's chains, to which the chains k_from_workload_dispatch and
  // k_to_workload_dispatch lead its packets. They drop those of all others.
  virtual void set_workload(const std::string& interface_name, bool known) = 0;

  // Members of the other family are left out.
  virtual void set_members(std::string_view id, policy::SetType type,
                           const policy::SetMembers& members) = 0;
  virtual void change_members(std::string_view id, const std::vector<policy::SetMember>& added,
                              const std::vector<policy::SetMember>& removed) = 0;
  virtual void remove_set(std::string_view id) = 0;

  // Brings the kernel to what is wanted, in the order that never opens: sets, rules, then the sets
  // that no rule names any more. On error of write_sets() with has_refused_sets() only those could
  // not be written, and the chains that name them are refused; without, nothing is known to be
  // done. Refused chains are no error. A table that does all at once does it in write_rules().
  virtual base::Result<> write_sets() = 0;
  virtual bool has_refused_sets() const = 0;
  // `done_without`: the layers that what is wanted of filter does without. Where another one before
  // filter cannot be written, filter is not written either.
  virtual base::Result<> write_rules(const std::set<Layer>& done_without) = 0;
  virtual base::Result<> remove_unused_sets() = 0;
  virtual const std::map<std::string, RefusedChain>& refused(Layer layer) const = 0;
  // The layers that the last write_rules() tried and could not write: all, where it came to none. A
  // table that does all at once has none, since it is then wanted still.
  virtual std::set<Layer> unwritten() const { return {}; }

  // How long until write_rules() shall read back what was written, of which another program may
  // have written over. None: it is certain.
  virtual std::optional<std::chrono::milliseconds> check_due_in() const { return std::nullopt; }

  // The next write reads the kernel's anew, repairs it, and tries again what was refused.
  virtual void forget_rules() = 0;
  virtual void forget_sets() = 0;

  // Reads the kernel's anew and says what differs from what is wanted. Writes nothing.
  virtual base::Result<Differences> differences() = 0;

  // Whether a run before has left chains that enforce. If so they stay, and packets are led to them
  // again where another program had cut that off.
  virtual base::Result<bool> resume() = 0;
  // After resume(): whether filter by itself enforces what a run before has left, though another
  // layer does not.
  virtual bool filter_enforces() const { return false; }
  // Another one over the same kernel, that has nothing and takes away nothing but chains of the
  // layers raw and filter: for the closed start.
  virtual std::unique_ptr<FamilyTables> for_closed_start() = 0;
  virtual base::Result<> clean_up() = 0;
};

}  // namespace margay::dataplane::linux_host
