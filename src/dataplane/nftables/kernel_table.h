#pragma once

// What the kernel has in our table of one family, read back, and the messages that change it
// (linux/netfilter/nf_tables.h).

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/linux/packet_rule.h"
#include "dataplane/nftables/batch.h"
#include "dataplane/nftables/rule_expressions.h"
#include "dataplane/nftables/set_elements.h"
#include "net/netlink.h"

namespace margay::dataplane::nftables {

// Where a chain that the kernel calls stands.
struct Hook {
  uint32_t number = 0;  // linux/netfilter.h
  int32_t priority = 0;
  std::string type;  // "filter", "nat"
  bool operator==(const Hook&) const = default;
};
// Of the layer's chain for "PREROUTING" and so on.
Hook hook_of(linux_host::Layer layer, const std::string& name);

struct KernelChain {
  std::optional<Hook> hook;  // none: others lead to it
  bool drops_by_policy = false;
  std::vector<std::string> hashes;  // of each rule; empty: none of ours
  bool operator==(const KernelChain&) const = default;
};

struct KernelRules {
  bool table = false;  // it is there, and in force
  std::map<std::string, KernelChain> chains;
};

base::Result<KernelRules> read_rules(net::NetlinkSocket& socket, policy::IPFamily family);

// Its sets, without the dispatch maps; and those: interface name -> chain, none where it is not
// there or another kind of set.
struct KernelSets {
  std::map<std::string, SetElements::KernelSet> sets;
  struct Map {
    bool usable = false;
    std::map<std::string, std::string> chains;
  };
  std::map<std::string, Map> maps;
};
base::Result<KernelSets> read_sets(net::NetlinkSocket& socket, policy::IPFamily family);

// ---- messages -----------------------------------------------------------------------------------

// Each adds one message, or as many as it takes, to the batch.
void add_table(Batch& batch, policy::IPFamily family);  // or puts it in force
void remove_table(Batch& batch, policy::IPFamily family);
void add_chain(Batch& batch, policy::IPFamily family, const std::string& name,
               const std::optional<Hook>& hook);
void remove_chain(Batch& batch, policy::IPFamily family, const std::string& name);
void flush_chain(Batch& batch, policy::IPFamily family, const std::string& name);
// The comment stands with the rule in what `nft list ruleset` prints.
void add_rule(Batch& batch, policy::IPFamily family, const std::string& chain,
              const Expressions& expressions, const std::string& comment);
void add_set(Batch& batch, policy::IPFamily family, const std::string& name, policy::SetType type);
void add_map(Batch& batch, policy::IPFamily family, const std::string& name);
void remove_set(Batch& batch, policy::IPFamily family, const std::string& name);
void change_elements(Batch& batch, policy::IPFamily family, const std::string& set,
                     policy::SetType type, std::span<const policy::SetMember> members, bool add);
void change_map(Batch& batch, policy::IPFamily family, const std::string& map,
                const std::map<std::string, std::string>& chains, bool add);

}  // namespace margay::dataplane::nftables
