#pragma once

// One run of a node's agent, from nothing to enforcing:
//
//   settings known without the datastore -> closed start -> start-up objects -> all settings
//     -> data plane -> policy
//
// The closed start comes before the datastore is first reached, and stands while it cannot be.

#include <string>
#include <vector>

#include "base/result.h"
#include "node/parameters.h"
#include "store/kubernetes/kubernetes_store.h"

namespace margay::node {

struct NodeOptions {
  std::string name;        // empty: FelixHostname, or the host's name
  std::string kubeconfig;  // empty: the service account of the pod this runs in
  std::string data_plane = "iptables";
  std::string config_file;  // empty: k_default_config_file, if it exists
  std::string record;  // file for all that the data plane is asked (dataplane/wire/recording.h)
};
inline constexpr const char* k_default_config_file = "/etc/calico/felix.cfg";

// The settings that do not come from the datastore: environment, then file.
base::Result<std::vector<Settings>> local_settings(const NodeOptions& options);
// How to reach the datastore.
base::Result<store::kubernetes::ClusterAccess> access_of(const NodeOptions& options);

// Until a signal ends it, with the exit status; does not return when it starts itself anew because
// a setting has changed. What is programmed stays.
base::Result<int> run_node(const NodeOptions& options);

}  // namespace margay::node
