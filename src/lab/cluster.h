#pragma once

// What the lab's programs ask of the API server, beyond watching: Kubernetes' verbs on pods, nodes,
// namespaces and events.

#include <boost/json/object.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::store {
class Store;
namespace kubernetes {
class KubernetesStore;
}
}  // namespace margay::store

namespace margay::lab {

namespace json = boost::json;

class Cluster {
 public:
  // Reads the kubeconfig; connects with the first call.
  static base::Result<std::unique_ptr<Cluster>> open(const std::filesystem::path& kubeconfig);
  ~Cluster();

  // Calls block; safe from any thread.
  base::Result<std::vector<std::string>> node_names();
  base::Result<std::vector<json::object>> pods();
  base::Result<std::vector<json::object>> namespaces();
  store::Store& store();

  // Writes the node's status. `conflict` when the node has changed since.
  base::Result<> set_node_status(const json::object& node);

  // ---- a pod, as it was read ------------------------------------------------------------------
  // `conflict` when the pod has changed since, `not_found` when it is gone.
  base::Result<> bind(const json::object& pod, const std::string& node);
  base::Result<> set_status(const json::object& pod, json::object status);
  // The last step of a deletion: the object goes at once. Only the very pod (by uid); one that is
  // gone is fine.
  base::Result<> finish_deletion(const json::object& pod);
  // An Event about the pod. `type`: Normal, Warning.
  base::Result<> record_event(const json::object& pod, std::string_view type,
                              std::string_view reason, std::string_view message);

 private:
  explicit Cluster(std::unique_ptr<store::kubernetes::KubernetesStore> store);
  base::Result<std::vector<json::object>> list(const std::string& resource);

  std::unique_ptr<store::kubernetes::KubernetesStore> store_;
};

}  // namespace margay::lab
