#pragma once

// How to reach an API server and who we are, from where Kubernetes keeps it: a kubeconfig file
// (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/) or a pod's service account.

#include <string>

#include "base/result.h"

namespace margay::store::kubernetes {

struct ClusterAccess {
  std::string server;  // "https://10.0.0.1:6443"
  std::string ca_pem;  // empty: the system's authorities
  std::string server_name;
  bool insecure_skip_verify = false;
  std::string certificate_pem;  // empty: none
  std::string key_pem;
  std::string token;       // empty: none
  std::string token_file;  // read for each request, since such tokens are renewed; or empty
  std::string ns;          // the default namespace; empty: none given
};

// `context`: which one; empty: the current one. Files named inside are relative to the file's
// folder. Missing or malformed: `not_found` or `invalid`, with the file and the field. What would
// need another program or a proxy (exec, auth-provider, proxy-url) or passwords: `unsupported`.
base::Result<ClusterAccess> load_kubeconfig(const std::string& path, std::string_view context = {});
// The same of a text, which errors call `origin`.
base::Result<ClusterAccess> parse_kubeconfig(const std::string& text, const std::string& origin,
                                             const std::string& folder,
                                             std::string_view context = {});

// From the folder that a pod's service account is mounted at and the addresses in the
// environment. Not in a pod: `not_found`.
struct InCluster {
  std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  std::string host;  // KUBERNETES_SERVICE_HOST
  std::string port;  // KUBERNETES_SERVICE_PORT
  static InCluster from_environment();
};
base::Result<ClusterAccess> load_in_cluster(const InCluster& from);

// By the file that the user named, or, where none was, as the pod that this program runs in.
base::Result<ClusterAccess> load_access(const std::string& kubeconfig);

}  // namespace margay::store::kubernetes
