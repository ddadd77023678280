#include "controllers/node_controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace margay::controllers {

using base::Result;

NodeController::NodeController(store::Store& store, const base::Clock& clock, Options options)
    : store_(store), clock_(clock), options_(std::move(options)) {}
NodeController::~NodeController() = default;

// Only wakes us up: what is done rests on what is read then.
Result<> NodeController::watch_nodes() {
  if (is_watching_) return {};
  watch_.reset();
  const store::Scope nodes{.resource = "nodes"};
  MARGAY_TRY(const store::List list, store_.list(nodes, {.limit = 1}));
  is_watching_ = true;
  auto watch = store_.watch(nodes, list.revision, *this);
  if (!watch) {
    is_watching_ = false;
    return base::fail(std::move(watch).error().wrap("watch nodes"));
  }
  watch_ = *std::move(watch);
  return {};
}

void NodeController::on_events(std::span<const store::Event> events) {
  const bool one_is_gone =
      std::ranges::count(events, store::Event::Type::removed, &store::Event::type) > 0;
  if (one_is_gone && options_.on_node_gone) options_.on_node_gone();
}

void NodeController::on_end(const base::Error& error) {
  spdlog::debug("the watch of nodes ended: {}", error.message);
  is_watching_ = false;
}

Result<ipam::CollectionPlan> NodeController::plan() {
  MARGAY_CHECK(watch_nodes());
  return ipam::plan_collection(store_);
}

Result<NodeController::Look> NodeController::look() {
  auto planned = this->plan();
  if (!planned) {
    skip();
    return base::fail(std::move(planned).error());
  }
  auto plan = *std::move(planned);
  for (const auto& node : plan.lingering)
    spdlog::info("node {} is gone from Kubernetes, and has pods there still", node);
  plan.orphans = suspects_.due(std::move(plan.orphans), clock_.now(), options_.leak_grace);
  return Look{.collected = ipam::collect(store_, plan),
              .suspects = suspects_.size(),
              .is_waiting_for_pods = !plan.lingering.empty()};
}

}  // namespace margay::controllers
