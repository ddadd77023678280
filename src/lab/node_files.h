#pragma once

// The files that a node's programs find on their "disk": the kubeconfig by which they reach the
// API server over the underlay, and the CNI configuration and plugins of the pod runner.

#include <string>

#include "base/result.h"
#include "lab/layout.h"

namespace margay::lab {

// Whether the API server has written its kubeconfigs, from which the others are made.
bool has_credentials(const Layout& layout);

// `calico` and `calico-ipam`, as links to this program.
base::Result<> link_cni_plugins(const Layout& layout, const std::string& binary);
// The user's, at layout.kubeconfig().
base::Result<> write_kubeconfig(const Layout& layout);
base::Result<> write_node_files(const Layout& layout, const Settings& settings, int node_number);

}  // namespace margay::lab
