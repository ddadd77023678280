#include "ipam/collection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "api/codec.h"
#include "base/result_steps.h"
#include "ipam/inhabitants.h"
#include "ipam/ipam.h"
#include "ipam/records.h"

namespace margay::ipam {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::Result;

std::string describe(const Holding& holding) {
  std::string addresses;
  for (const auto& address : addresses_of(holding))
    addresses += (addresses.empty() ? "" : ", ") + address.to_string();
  const Holder& holder = holding.holder;
  const std::string whose =
      holder.kind == Holder::Kind::tunnel
          ? "the tunnel of node " + holder.node
          : fmt::format("pod {}/{} on node {}", holder.ns, holder.pod, holder.node);
  return fmt::format("{} of {} (handle {})", addresses, whose, holding.handle_id);
}

// The Node as it was read, marked as leaving: a new revision of it.
Result<std::string> marked_as_leaving(const store::Entry& node) {
  MARGAY_TRY(auto value, api::parse_json(node.value));
  if (!value.is_object() || !value.get_object()["metadata"].is_object())
    return base::fail(ErrorCode::internal, "Node " + node.key.name + ": has no metadata");
  auto& annotations = value.get_object()["metadata"].get_object()["annotations"];
  if (!annotations.is_object()) annotations.emplace_object();
  // Different each time: API servers give what is written as it was no new revision.
  annotations.get_object()[k_leaving_annotation] = std::to_string(node.revision);
  return api::to_json(value);
}

class Collector {
 public:
  Collector(store::Store& store, const Inhabitants& inhabitants)
      : store_(store), ipam_(store), inhabitants_(inhabitants) {}

  void collect(const CollectionPlan& plan) {
    for (const auto& node : plan.vacated) clear(node);
    for (const auto& holding : plan.orphans)
      note(release(holding, [&] { return is_orphan(holding); }));
    for (const auto& handle : plan.miscounted) note(unless_unreadable(ipam_.settle(handle)));
  }
  Collected take() { return std::move(done_); }

 private:
  // In this order, so that whoever finds the Calico Node knows that its tunnel's addresses are
  // held still; and each only while the node is gone.
  void clear(const VacatedNode& node) {
    Result<> cleared;
    for (const auto& holding : node.pods)
      base::keep_first(cleared, release(holding, [&] { return is_orphan_of_gone_node(holding); }));
    if (node.has_calico_node) base::keep_first(cleared, remove_calico_node(node.name));
    for (const auto& holding : node.tunnels)
      base::keep_first(cleared, release(holding, [&] { return is_without_node(holding); }));
    for (const auto& block : node.blocks) base::keep_first(cleared, give_up(node.name, block));
    if (!cleared) note(base::fail(std::move(cleared).error().wrap("node " + node.name)));
  }

  Result<> release(const Holding& holding, const Ipam::IsUnused& is_unused) {
    if (inhabitants_.has_any(addresses_of(holding))) return {};
    size_t released = 0;
    Result<> all;
    for (const auto& share : holding.shares) {
      const auto freed = ipam_.release_if(share.block, share.attribute, is_unused);
      if (!freed) base::keep_first(all, base::fail(freed.error()));
      released += freed.value_or(0);
    }
    if (released != 0) spdlog::info("released {}", describe(holding));
    done_.addresses += released;
    return all;
  }

  Result<bool> is_nobodys(const Holding& holding) const {
    const Holder& holder = holding.holder;
    MARGAY_TRY(const auto use, look_at_pod(store_, holder.ns, holder.pod, addresses_of(holding)));
    return !use || *use == PodUse::elsewhere;
  }
  Result<bool> is_orphan(const Holding& holding) const {
    MARGAY_TRY(const NodeView node, look_at_node(store_, holding.holder.node));
    if (node.state != NodeState::present && node.state != NodeState::gone) return false;
    return is_nobodys(holding);
  }
  Result<bool> is_orphan_of_gone_node(const Holding& holding) const {
    MARGAY_TRY(const NodeView node, look_at_node(store_, holding.holder.node));
    if (node.state != NodeState::gone) return false;
    return is_nobodys(holding);
  }
  Result<bool> is_without_node(const Holding& holding) const {
    MARGAY_TRY(const NodeView node, look_at_node(store_, holding.holder.node));
    return node.state == NodeState::gone && !node.has_calico_node;
  }

  // A node that comes back makes its Kubernetes node before it looks at this one. So either it is
  // seen here after the mark, or the node finds the mark and takes it off: then the Node is another
  // revision, and stays.
  Result<> remove_calico_node(const std::string& name) {
    MARGAY_TRY(const auto node, find_calico_node(store_, name));
    if (!node) return {};
    MARGAY_TRY(auto marked, marked_as_leaving(*node));
    const auto leaving = store_.update(node->key, std::move(marked), node->revision);
    if (!leaving) return unless_changed(leaving.error());
    MARGAY_TRY(const NodeView view, look_at_node(store_, name));
    if (view.state != NodeState::gone) return {};
    const auto removed = store_.remove(node->key, leaving->revision);
    if (!removed) return unless_changed(removed.error());
    spdlog::info("removed Node {}, which Kubernetes does not have", name);
    ++done_.nodes;
    return {};
  }
  static Result<> unless_changed(const base::Error& error) {
    if (error.code == ErrorCode::conflict || error.code == ErrorCode::not_found) return {};
    return base::fail(error);
  }

  // That is left alone.
  static Result<> unless_unreadable(Result<> done) {
    if (done || !is_unreadable(done.error())) return done;
    spdlog::warn("left alone: {}", done.error().message);
    return {};
  }

  // Only an empty block: what is left in one goes on being used, or is in doubt.
  Result<> give_up(const std::string& name, const base::Prefix& block) {
    MARGAY_TRY(const NodeView view, look_at_node(store_, name));
    if (view.state != NodeState::gone) return {};
    const auto released = ipam_.release_affinity(name, block, true);
    if (!released && released.error().code == ErrorCode::conflict) return {};
    if (!released) return unless_unreadable(released);
    spdlog::info("node {} has given up block {}", name, block.to_string());
    ++done_.blocks;
    return {};
  }

  void note(Result<> step) { base::keep_first(done_.error, std::move(step)); }

  store::Store& store_;
  Ipam ipam_;
  const Inhabitants& inhabitants_;
  Collected done_;
};

}  // namespace

Collected collect(store::Store& store, const CollectionPlan& plan) {
  if (plan.vacated.empty() && plan.orphans.empty() && plan.miscounted.empty()) return {};
  const auto inhabitants = Inhabitants::load(store);
  if (!inhabitants) return {.error = base::fail(inhabitants.error())};
  Collector collector(store, *inhabitants);
  collector.collect(plan);
  return collector.take();
}

}  // namespace margay::ipam
