#pragma once

// Brings one pod to where it should be. One blocking step that may be repeated until it succeeds;
// the runner calls it on a worker thread, for one pod never twice at the same time.

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "lab/pod_runner.h"

namespace margay::lab {

namespace json = boost::json;

class Cluster;

class PodWorker {
 public:
  PodWorker(Cluster& cluster, const Sandboxes& sandboxes, const PodRunnerOptions& options)
      : cluster_(cluster), sandboxes_(sandboxes), options_(options) {}

  // Runs the pod, and reports its status if it is news. A failure is told in an Event.
  base::Result<PodRecord> run(const json::object& pod) const;
  // Takes down the pod with that uid, if it is here; then, when the object is still there because
  // it waits for this, lets it go.
  base::Result<> stop(const std::string& uid, const std::optional<json::object>& pod) const;

 private:
  base::Result<PodRecord> try_run(const json::object& pod) const;
  base::Result<> report(const json::object& pod, const PodRecord& record) const;

  Cluster& cluster_;
  const Sandboxes& sandboxes_;
  const PodRunnerOptions& options_;
};

}  // namespace margay::lab
