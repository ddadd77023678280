#include "lab/cluster.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <chrono>

#include "base/clock.h"
#include "lab/pod.h"
#include "store/kubernetes/kubernetes_store.h"

namespace margay::lab {

using base::ErrorCode;
using base::Result;
using store::Key;
using store::kubernetes::KubernetesStore;

namespace {

Key key_of(const PodView& pod) { return {"pods", pod.ns, pod.name}; }

Result<store::Revision> revision_of(const json::object& object) {
  try {
    return std::stoll(std::string(object.at("metadata").at("resourceVersion").as_string()));
  } catch (const std::exception&) {
    return base::fail(ErrorCode::invalid, "object without a resourceVersion");
  }
}

// Unique in the namespace, as the name of an Event must be.
std::string event_name(const PodView& pod) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("{}.{:x}", pod.name, now.count());
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::open(const std::filesystem::path& kubeconfig) {
  MARGAY_TRY(auto access, store::kubernetes::load_kubeconfig(kubeconfig));
  MARGAY_TRY(auto store, KubernetesStore::create({.access = std::move(access)}));
  return std::unique_ptr<Cluster>(new Cluster(std::move(store)));
}

Cluster::Cluster(std::unique_ptr<KubernetesStore> store) : store_(std::move(store)) {}
Cluster::~Cluster() = default;

store::Store& Cluster::store() { return *store_; }

Result<std::vector<json::object>> Cluster::list(const std::string& resource) {
  MARGAY_TRY(const auto list, store_->list({.resource = resource}));
  std::vector<json::object> objects;
  for (const auto& entry : list.entries) {
    MARGAY_TRY(auto object, parse_object(entry.value));
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<std::vector<json::object>> Cluster::pods() { return list("pods"); }
Result<std::vector<json::object>> Cluster::namespaces() { return list("namespaces"); }

Result<std::vector<std::string>> Cluster::node_names() {
  MARGAY_TRY(const auto list, store_->list({.resource = "nodes"}));
  std::vector<std::string> names;
  names.reserve(list.entries.size());
  for (const auto& entry : list.entries) names.push_back(entry.key.name);
  return names;
}

Result<> Cluster::set_node_status(const json::object& node) {
  MARGAY_TRY(const auto revision, revision_of(node));
  const std::string name(node.at("metadata").at("name").as_string());
  MARGAY_CHECK(store_->update_status({"nodes", "", name}, json::serialize(node), revision));
  return {};
}

Result<> Cluster::bind(const json::object& pod, const std::string& node) {
  MARGAY_TRY(const auto view, PodView::read(pod));
  MARGAY_TRY(const auto revision, revision_of(pod));
  auto bound = pod;
  bound.at("spec").as_object()["nodeName"] = node;
  MARGAY_CHECK(store_->update(key_of(view), json::serialize(bound), revision));
  return {};
}

Result<> Cluster::set_status(const json::object& pod, json::object status) {
  MARGAY_TRY(const auto view, PodView::read(pod));
  MARGAY_TRY(const auto revision, revision_of(pod));
  auto told = pod;
  told["status"] = std::move(status);
  MARGAY_CHECK(store_->update_status(key_of(view), json::serialize(told), revision));
  return {};
}

Result<> Cluster::finish_deletion(const json::object& pod) {
  MARGAY_TRY(const auto view, PodView::read(pod));
  const json::object options{{"kind", "DeleteOptions"},
                             {"apiVersion", "v1"},
                             {"gracePeriodSeconds", 0},
                             {"preconditions", {{"uid", view.uid}}}};
  const auto done =
      store_->call("DELETE", fmt::format("/api/v1/namespaces/{}/pods/{}", view.ns, view.name),
                   json::serialize(options));
  // Gone already, or another pod has the name by now.
  if (!done && done.error().code != ErrorCode::not_found &&
      done.error().code != ErrorCode::conflict) {
    return base::fail(done.error());
  }
  return {};
}

Result<> Cluster::record_event(const json::object& pod, std::string_view type,
                               std::string_view reason, std::string_view message) {
  MARGAY_TRY(const auto view, PodView::read(pod));
  const auto now = base::to_rfc3339(base::SystemClock().wall_time());
  const auto name = event_name(view);
  const json::object event{{"apiVersion", "v1"},
                           {"kind", "Event"},
                           {"metadata", {{"name", name}, {"namespace", view.ns}}},
                           {"involvedObject",
                            {{"apiVersion", "v1"},
                             {"kind", "Pod"},
                             {"namespace", view.ns},
                             {"name", view.name},
                             {"uid", view.uid}}},
                           {"type", type},
                           {"reason", reason},
                           {"message", message},
                           {"source", {{"component", "margay-lab"}}},
                           {"firstTimestamp", now},
                           {"lastTimestamp", now},
                           {"count", 1}};
  MARGAY_CHECK(store_->create({"events", view.ns, name}, json::serialize(event)));
  return {};
}

}  // namespace margay::lab
