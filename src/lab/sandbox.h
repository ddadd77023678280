#pragma once

// A pod on this node: its network namespace, its addresses by CNI, its server. Every step may be
// done again after a crash at any point: what is there is kept.

#include <string>

#include "base/result.h"
#include "lab/cni_runtime.h"
#include "lab/layout.h"
#include "lab/pod_record.h"
#include "lab/serve.h"

namespace margay::lab {

// Of one node. Calls for different pods may run at the same time on different threads; calls for
// one pod may not. They block (the CNI plugin takes its time).
class Sandboxes {
 public:
  // Runs in the node's network namespace. `binary` is this program's own file.
  Sandboxes(Layout layout, std::string node, std::string binary);

  // Makes whatever is missing of the pod that `wanted` describes (by its uid, names and ports; with
  // host network also addresses), and returns its full record. When that fails the next call starts
  // over with a new container.
  base::Result<PodRecord> ensure(PodRecord wanted) const;
  // Stops the server and everything else in the pod's namespace, then CNI DEL, then the namespace,
  // then the record. Missing parts are fine.
  base::Result<> remove(const PodRecord& record) const;

  // Whether the server of a pod that was ensured still lives.
  bool is_serving(const PodRecord& record) const;
  // Its report: which ports it could not open.
  base::Result<ServerReport> report(const PodRecord& record) const;
  base::Result<std::vector<PodRecord>> records() const { return load_pod_records(directory_); }

 private:
  base::Result<PodRecord> on_node(PodRecord record) const;
  base::Result<PodRecord> create(PodRecord record) const;
  base::Result<> ensure_server(const PodRecord& record) const;
  CniContainer container_of(const PodRecord& record) const;

  const Layout layout_;
  const std::filesystem::path directory_;  // of the records
  const std::string node_;
  const std::string binary_;
  const CniRuntime cni_;
};

}  // namespace margay::lab
