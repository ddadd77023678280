#pragma once

// The store behind a Kubernetes-style API server: Margay's own, or a cluster's. A key's resource is
// found by api::find_resource; revisions are the server's resourceVersions; values are objects as
// the server sends them (metadata.resourceVersion, uid, ... included).
//
// Construction neither connects nor reads anything but `access`: a program that makes one call
// starts in milliseconds. Any thread. Errors are those of https_client.h and status.h.
//
// Where Kubernetes gives less than store.h asks for:
// * remove() of an object with finalizers, or of a pod with a grace period, only marks it.
// * When the server answers a removal without the object, the revision of remove() is the last
//   write's; the watch tells that of the removal.

#include <chrono>
#include <memory>
#include <string>

#include "store/kubernetes/kubeconfig.h"
#include "store/store.h"

namespace margay::store::kubernetes {

struct Options {
  ClusterAccess access;
  std::chrono::milliseconds timeout{30'000};  // of one request
  // While the server can't be reached, how long a call goes on trying.
  std::chrono::milliseconds retry_for{5'000};
  size_t page_size = 500;  // of a list, on the wire
  // After at most twice this the server ends a watch and the client opens it anew, unseen above.
  std::chrono::seconds watch_timeout{300};
};

enum class PatchType { merge, json, strategic, apply };

class ApiClient;

class KubernetesStore final : public Store {
 public:
  static base::Result<std::unique_ptr<KubernetesStore>> create(const Options& options);
  ~KubernetesStore() override;

  base::Result<Entry> get(const Key& key) override;
  base::Result<List> list(const Scope& scope, const ListOptions& options = {}) override;
  base::Result<Entry> create(const Key& key, std::string value) override;
  base::Result<Entry> update(const Key& key, std::string value,
                             std::optional<Revision> expected) override;
  base::Result<Entry> remove(const Key& key, std::optional<Revision> expected) override;
  base::Result<Entry> patch_status(const Key& key, const std::string& patch) override;
  // `from` is the revision of a list: 0 is `too_old`. Watches must be gone before the store.
  base::Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                             Watcher& watcher) override;

  // What Kubernetes has beyond a store. `value` is the whole object; only its status is taken.
  base::Result<Entry> update_status(const Key& key, std::string value,
                                    std::optional<Revision> expected);
  // `subresource`: "status", or empty for the object itself.
  base::Result<Entry> patch(const Key& key, PatchType type, std::string patch,
                            std::string_view subresource = {});
  // Any path of the server, such as "/version" or a pod's eviction: the body of a success.
  base::Result<std::string> call(std::string method, std::string target, std::string body = {},
                                 std::string content_type = "application/json");

 private:
  KubernetesStore(const Options& options, std::unique_ptr<ApiClient> client);
  base::Result<Entry> fetch_entry(std::string method, const Key& key, std::string target,
                                  std::string body,
                                  std::string_view content_type = "application/json");
  base::Result<List> list_page(const Scope& scope, const ListOptions& options);

  const Options options_;
  std::unique_ptr<ApiClient> client_;
};

}  // namespace margay::store::kubernetes
