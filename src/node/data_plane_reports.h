#pragma once

// What becomes of what a data plane tells: how it stands with each endpoint goes to the metrics, to
// the log and, where asked for, to files that other programs of this node read; keys go to whoever
// publishes them.
//
// The files are those that Calico's CNI plugin waits for before a pod starts: one for each workload
// endpoint that is up, named after its orchestrator, workload and endpoint, each escaped as a URL's
// path segment, with spaces between ("k8s default%2Fweb eth0"); as content Calico v3.19's status
// value, {"status":"up"}. An endpoint that is down or in error has none.
//
// Safe from any thread.

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "dataplane/upcalls.h"
#include "node/agent_metrics.h"

namespace margay::node {

// "k8s default%2Fweb eth0".
std::string status_file_name(const policy::WorkloadKey& key);

class DataPlaneReports final : public dataplane::Upcalls {
 public:
  struct Options {
    std::filesystem::path status_directory;                               // empty: no files
    std::function<void(const dataplane::PublicKey&)> on_public_key = {};  // may be empty
  };
  DataPlaneReports(Options options, AgentMetrics& metrics);

  void on_endpoint_status(const dataplane::EndpointReport& report) override;
  void on_flows(std::span<const dataplane::FlowRecord> records) override;
  void on_public_key(const dataplane::PublicKey& key) override;

  // Every endpoint has been reported once: files that an earlier run left for others are removed.
  void on_all_reported();

 private:
  void count();
  void keep_file(const dataplane::EndpointReport& report);

  const Options options_;
  AgentMetrics& metrics_;
  std::mutex mutex_;
  std::map<dataplane::EndpointKey, dataplane::EndpointStatus> statuses_;
  std::set<std::string> written_;  // names of the files of this run
};

}  // namespace margay::node
