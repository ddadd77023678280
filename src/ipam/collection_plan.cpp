// What seems to be nobody's, from one look at everything.

#include <algorithm>
#include <map>
#include <utility>

#include "api/codec.h"
#include "api/json_path.h"
#include "ipam/collection.h"
#include "ipam/inhabitants.h"
#include "ipam/pages.h"

namespace margay::ipam {
namespace {

namespace json = boost::json;
using base::Result;

// The pods, as far as they matter: a cluster has many, and each is large.
class Pods {
 public:
  explicit Pods(const Holdings& holdings) {
    for (const auto& holding : holdings.held) {
      if (holding.holder.kind != Holder::Kind::pod) continue;
      of_pod_[{holding.holder.ns, holding.holder.pod}].push_back(&holding);
    }
  }

  Result<> load(store::Store& store) {
    return for_each_entry(store, {.resource = "pods"}, [this](const store::Entry& pod) {
      add(pod);
      return Result<>{};
    });
  }

  bool uses(const Holding& holding) const { return used_.contains(&holding); }
  bool are_bound_to(const std::string& kubernetes_node) const {
    return somewhere_ || nodes_.contains(kubernetes_node);
  }

 private:
  void add(const store::Entry& pod) {
    bind(pod);
    const auto found = of_pod_.find({pod.key.ns, pod.key.name});
    if (found == of_pod_.end()) return;
    for (const auto* holding : found->second)
      if (use_by_pod(pod, addresses_of(*holding)) == PodUse::in_use) used_.insert(holding);
  }
  void bind(const store::Entry& pod) {
    const auto value = api::parse_json(pod.value);
    const auto* object = value ? value->if_object() : nullptr;
    if (object == nullptr) {
      somewhere_ = true;
      return;
    }
    const auto node = api::text_at(*object, {"spec", "nodeName"});
    if (!node.empty()) nodes_.emplace(node);
  }

  std::map<std::pair<std::string, std::string>, std::vector<const Holding*>> of_pod_;
  std::set<const Holding*> used_;
  std::set<std::string> nodes_;
  bool somewhere_ = false;  // a pod that cannot be read may be on any node
};

class Planner {
 public:
  Planner(Holdings holdings, Inhabitants inhabitants)
      : holdings_(std::move(holdings)), inhabitants_(std::move(inhabitants)), pods_(holdings_) {}

  Result<CollectionPlan> plan(store::Store& store) {
    MARGAY_CHECK(pods_.load(store));
    for (const auto& holding : holdings_.held) {
      by_node_[holding.holder.node].push_back(&holding);
      if (!holding.holder.node.empty()) continue;
      for (const auto& share : holding.shares)  // which may disagree
        unreleasable_.insert(holder_of(share.attribute).node);
    }
    for (const auto& share : holdings_.without_handle)
      unreleasable_.insert(holder_of(share.attribute).node);
    for (const auto& [node, blocks] : holdings_.claimed) by_node_[node];
    for (const auto& node : inhabitants_.calico_nodes()) by_node_[node];
    by_node_.erase("");  // nobody knows whose
    for (const auto& [node, held] : by_node_) judge(node, held);
    plan_.miscounted = holdings_.miscounted;
    return std::move(plan_);
  }

 private:
  using Held = std::vector<const Holding*>;

  void judge(const std::string& node, const Held& held) {
    const NodeView view = inhabitants_.node(node);
    if (view.state == NodeState::unclear || view.state == NodeState::silent) return;
    if (view.state == NodeState::gone && is_vacated(node, view, held)) {
      plan_.vacated.push_back(vacated(node, view, held));
      return;
    }
    if (view.state == NodeState::gone && pods_.are_bound_to(view.kubernetes_name))
      plan_.lingering.push_back(node);
    for (const auto* holding : held)
      if (is_orphan(*holding)) plan_.orphans.push_back(*holding);
  }

  // Of a pod, which is not there or has other addresses.
  bool is_orphan(const Holding& holding) const {
    return holding.holder.kind == Holder::Kind::pod && !pods_.uses(holding) &&
           !inhabitants_.has_any(addresses_of(holding));
  }
  bool is_vacated(const std::string& node, const NodeView& view, const Held& held) const {
    return !pods_.are_bound_to(view.kubernetes_name) &&
           !inhabitants_.has_workload_endpoints(node) && !unreleasable_.contains(node) &&
           std::ranges::all_of(held, [&](const Holding* holding) {
             return is_orphan(*holding) || holding->holder.kind == Holder::Kind::tunnel;
           });
  }

  VacatedNode vacated(const std::string& node, const NodeView& view, const Held& held) const {
    VacatedNode all{.name = node, .has_calico_node = view.has_calico_node};
    for (const auto* holding : held)
      (holding->holder.kind == Holder::Kind::pod ? all.pods : all.tunnels).push_back(*holding);
    const auto claimed = holdings_.claimed.find(node);
    if (claimed != holdings_.claimed.end()) all.blocks = claimed->second;
    return all;
  }

  const Holdings holdings_;
  const Inhabitants inhabitants_;
  Pods pods_;
  std::map<std::string, Held> by_node_;
  std::set<std::string> unreleasable_;  // nodes with what has no handle, or one in several names
  CollectionPlan plan_;
};

}  // namespace

// The holdings first: whoever has an address when they are read was there before, and so is seen
// by what is read after, or is gone.
Result<CollectionPlan> plan_collection(store::Store& store) {
  MARGAY_TRY(auto holdings, load_holdings(store));
  MARGAY_TRY(auto inhabitants, Inhabitants::load(store));
  return Planner(std::move(holdings), std::move(inhabitants)).plan(store);
}

}  // namespace margay::ipam
