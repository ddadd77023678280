#include "lab/scheduler.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "api/json_path.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "lab/cluster.h"
#include "lab/pod_status.h"
#include "store/syncer.h"

namespace margay::lab {
namespace {

namespace asio = boost::asio;
using base::ErrorCode;
using base::fail;
using base::Result;
using store::Key;

constexpr std::chrono::milliseconds k_retry{500};

bool matches(const SchedulableNode& node, const PodView& pod) {
  return std::ranges::all_of(pod.node_selector, [&](const auto& wanted) {
    const auto found = node.labels.find(wanted.first);
    return found != node.labels.end() && found->second == wanted.second;
  });
}

std::map<std::string, std::string, std::less<>> labels_of(const json::object& node) {
  std::map<std::string, std::string, std::less<>> out;
  for (const auto& [key, value] : api::object_at(node, {"metadata", "labels"})) {
    if (value.is_string()) out.emplace(key, std::string(value.get_string()));
  }
  return out;
}

class Scheduler : store::SyncerSink {
 public:
  explicit Scheduler(Cluster& cluster)
      : cluster_(cluster),
        syncer_(cluster.store(), {{.resource = "nodes"}, {.resource = "pods"}}, *this,
                [this](std::function<void()> task) { loop_.post(std::move(task)); }) {}

  Result<> run() {
    if (loop_.run() != 0) return fail(ErrorCode::internal, "the event loop ended");
    return {};
  }

 private:
  Task on_change(const Key& key, std::optional<store::Entry> entry) override {
    return [this, key, entry = std::move(entry)] { note(key, entry); };
  }

  void note(const Key& key, const std::optional<store::Entry>& entry) {
    auto& objects = key.resource == "nodes" ? nodes_ : pods_;
    if (!entry) {
      objects.erase(key);
    } else if (auto object = parse_object(entry->value); object) {
      objects[key] = *std::move(object);
    } else {
      spdlog::error("{} {}/{}: {}", key.resource, key.ns, key.name, object.error().message);
    }
    schedule();
  }

  void on_in_sync() override {
    in_sync_ = true;
    schedule();
  }

  std::vector<SchedulableNode> nodes() const {
    std::vector<SchedulableNode> out;
    out.reserve(nodes_.size());
    for (const auto& [key, object] : nodes_) out.push_back({key.name, labels_of(object), 0});
    for (const auto& [key, object] : pods_) {
      const auto pod = PodView::read(object);
      if (!pod) continue;
      const auto node = std::ranges::find(out, pod->node_name, &SchedulableNode::name);
      if (node != out.end()) ++node->pods;
    }
    return out;
  }

  void schedule() {
    if (!in_sync_ || nodes_.empty()) return;
    bool retry = false;
    for (auto& [key, object] : pods_) {
      const auto pod = PodView::read(object);
      if (!pod || !pod->node_name.empty()) continue;
      if (auto placed = place(*pod, object); !placed) {
        spdlog::warn("pod {}: {}", pod->id(), placed.error().message);
        retry = true;
      }
    }
    if (!retry) return;
    retry_.expires_after(k_retry);
    retry_.async_wait([this](const boost::system::error_code& error) {
      if (!error) schedule();
    });
  }

  Result<> place(const PodView& pod, json::object& object) {
    if (pod.deleting) return cluster_.finish_deletion(object);
    const auto node = choose_node(pod, nodes());
    auto done = node ? cluster_.bind(object, *node) : refuse(object, node.error().message);
    // What changed or went meanwhile comes again by the feed.
    if (!done &&
        (done.error().code == ErrorCode::conflict || done.error().code == ErrorCode::not_found)) {
      return {};
    }
    if (done && node) object["spec"].as_object()["nodeName"] = *node;  // counts from now on
    return done;
  }

  Result<> refuse(const json::object& pod, const std::string& why) {
    auto status = pending_status(pod, "PodScheduled", "Unschedulable", why,
                                 base::to_rfc3339(base::SystemClock().wall_time()));
    if (has_status(pod, status)) return {};
    MARGAY_CHECK(cluster_.record_event(pod, "Warning", "FailedScheduling", why));
    return cluster_.set_status(pod, std::move(status));
  }

  Cluster& cluster_;
  base::EventLoop loop_;
  asio::steady_timer retry_{loop_.context()};
  std::map<Key, json::object> nodes_, pods_;
  bool in_sync_ = false;
  store::Syncer syncer_;  // last: stops before what its calls reach
};

}  // namespace

Result<std::string> choose_node(const PodView& pod, std::span<const SchedulableNode> nodes) {
  const SchedulableNode* best = nullptr;
  for (const auto& node : nodes) {
    if (!matches(node, pod)) continue;
    const bool better = best == nullptr || node.pods < best->pods ||
                        (node.pods == best->pods && node.name < best->name);
    if (better) best = &node;
  }
  if (best != nullptr) return best->name;
  return fail(ErrorCode::unavailable,
              fmt::format("0/{0} nodes are available: {0} node(s) didn't match Pod's node selector",
                          nodes.size()));
}

Result<> run_scheduler(Cluster& cluster) {
  Scheduler scheduler(cluster);
  return scheduler.run();
}

}  // namespace margay::lab
