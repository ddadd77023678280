#pragma once

// The rules and sets of one family in nf_tables: one table ("calico") with chains for each layer,
// sets, and a map from a workload's interface to its chain in each direction.
//
// A write is one transaction of what differs: elements of sets, chains that are emptied and filled
// again. No packet sees a part of it. The kernel says which messages of a transaction it does not
// take, so what is at fault is known at once: a chain that stands alone is closed, a set is left
// out and the chains that name it are closed, and the rest is written. Owns everything in the
// table.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/linux/family_tables.h"
#include "dataplane/nftables/batch.h"
#include "dataplane/nftables/kernel_table.h"
#include "dataplane/nftables/names.h"
#include "dataplane/nftables/set_elements.h"
#include "net/netlink.h"

namespace margay::dataplane::nftables {

// To the kernel of a network namespace.
struct Sockets {
  BatchSocket write;
  net::NetlinkSocket read;
  struct Written {
    size_t transactions = 0, bytes = 0;
  } written = {};  // for tests and measurements
  static base::Result<std::shared_ptr<Sockets>> open();
};

class NftablesTables final : public FamilyTables {
 public:
  NftablesTables(policy::IPFamily family, std::shared_ptr<Sockets> sockets);

  void set_chain(Layer layer, const PacketChain& chain) override;
  void remove_chain(Layer layer, const std::string& name) override;
  void set_hook(Layer layer, const std::string& hook, bool wanted) override;
  void set_workload(const std::string& interface_name, bool known) override;
  void set_members(std::string_view id, policy::SetType type,
                   const policy::SetMembers& members) override;
  void change_members(std::string_view id, const std::vector<policy::SetMember>& added,
                      const std::vector<policy::SetMember>& removed) override;
  void remove_set(std::string_view id) override;

  base::Result<> write_sets() override;  // all is done in write_rules()
  bool has_refused_sets() const override { return !sets_.refused().empty(); }
  base::Result<> write_rules(const std::set<Layer>& done_without = {}) override;
  base::Result<> remove_unused_sets() override;  // an error: some could not be written
  const std::map<std::string, RefusedChain>& refused(Layer layer) const override;
  void forget_rules() override;
  void forget_sets() override { sets_known_ = false; }
  base::Result<Differences> differences() override;
  base::Result<bool> resume() override;
  std::unique_ptr<FamilyTables> for_closed_start() override;
  base::Result<> clean_up() override;

 private:
  // What is taken away of what is there and not wanted.
  enum class Sweep : uint8_t { all, raw_and_filter_chains, nothing };

  struct Rule {
    Expressions expressions;
    std::string comment;  // with the hash
    std::string hash;
    size_t source = 0;  // the number of the rule that it is made from
  };
  struct Chain {
    Layer layer = Layer::filter;
    std::string name;  // without the layer
    std::optional<Hook> hook;
    bool stands_alone = false;
    std::vector<Rule> rules;
    std::vector<std::string> words;  // of the rules it was made from; only where it stands alone
    std::set<std::string> sets;
  };
  // What a message of a transaction is for.
  struct Origin {
    enum class Kind : uint8_t { other, chain, rule, set } kind = Kind::other;
    std::string name;
    size_t rule = 0;
  };
  struct Transaction {
    Batch batch;
    std::vector<Origin> origins;
    std::set<std::string> flushed;
  };
  using Dispatch = std::map<std::string, std::string>;  // interface -> chain

  void set(const std::string& full_name, Chain chain);
  Chain compile(Layer layer, const PacketChain& chain) const;
  void add_rule(Chain& chain, Expressions expressions, std::string_view comment,
                size_t source) const;
  void make_dispatch(std::string_view chain, bool comes_in, const char* map);
  const Chain* wanted(const std::string& full_name) const;
  bool is_swept(const std::string& full_name) const;
  base::Result<> load();
  void add_chain_differences(Differences& out) const;
  void add_dispatch_differences(Differences& out) const;
  Transaction difference() const;
  void add_chains(Transaction& transaction, const std::set<std::string>& rebuilt_sets) const;
  void add_sets(Transaction& transaction,
                const std::vector<SetElements::Difference>& differences) const;
  void add_dispatch(Transaction& transaction) const;
  void assume_written();
  // Closes what is at fault. False: nothing of it can be.
  bool refuse(const Transaction& transaction, const std::vector<BatchSocket::Failure>& failures);
  void refuse(const std::string& full_name, std::string rule, std::string reason);
  void allow(const std::string& full_name);

  const policy::IPFamily family_;
  std::shared_ptr<Sockets> sockets_;
  Sweep sweep_ = Sweep::all;

  std::map<std::string, Chain> chains_;  // by full name
  std::map<std::string, Chain> closed_;  // what the refused ones have instead
  std::map<Layer, std::map<std::string, RefusedChain>> refused_;
  std::set<std::string> refused_for_sets_;    // of them, those that only want for a set
  std::set<std::string> dirty_;               // chains that may differ from the kernel's
  std::map<std::string, Dispatch> dispatch_;  // by map
  std::map<std::string, std::set<std::string>> dirty_dispatch_;  // interfaces
  SetElements sets_;

  bool rules_known_ = false, sets_known_ = false;
  KernelRules kernel_;
  std::map<std::string, KernelSets::Map> kernel_maps_;
};

}  // namespace margay::dataplane::nftables
