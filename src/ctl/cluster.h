#pragma once

// What a question is asked about: the policy model of a cluster, read from files or from its API
// server, and what answers need beside it.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ctl/files.h"
#include "k8s/converter.h"
#include "policy/model.h"
#include "policy/passage.h"
#include "store/store.h"

namespace margay::ctl {

class Cluster {
 public:
  // Namespaces and service accounts that objects name without defining them are there, without
  // labels but their names. Pods that run without addresses get one of each family from
  // k_stand_in_v4 and k_stand_in_v6, so that their labels can be asked about.
  static base::Result<Cluster> from_files(const FileObjects& files);
  // `unavailable`, ... as the store says; what the server does not know is not there.
  static base::Result<Cluster> from_store(store::Store& store);

  const policy::Model& model() const { return model_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  // The workload "<namespace>/<pod>"; null when there is none. The cluster must not change.
  const policy::WorkloadEndpoint* find_workload(const std::string& name) const;
  // A pod on the host's network, which has no endpoint: it is one of the host's processes.
  struct HostPod {
    std::string node;
    std::vector<policy::IPAddress> addresses;
  };
  // Null when there is no such pod.
  const HostPod* find_host_pod(const std::string& name) const;
  // Empty where nobody says any.
  std::vector<policy::IPAddress> node_addresses(const std::string& node) const;
  // The node that has the address; empty when none has.
  std::string node_with(const policy::IPAddress& address) const;
  // What the FelixConfigurations say of a node's host traffic.
  policy::HostTrafficSettings host_traffic_settings(const std::string& node) const;
  // Whether the pod has run to its end: it has no address any more.
  bool is_finished(const std::string& name) const { return finished_.contains(name); }
  // The index in the object's own list of rules, given one in the model's.
  size_t rule_index(const policy::PolicyKey& policy, policy::Direction direction,
                    size_t rule) const;

 private:
  base::Result<> add(const store::Key& key, const boost::json::value& object,
                     const std::string& origin);
  void stand_in(const store::Key& key, const std::string& error);
  void remember_pod(api::kubernetes::Pod pod);
  void remember_node(const api::kubernetes::Node& node);
  base::Result<> remember_settings(const api::FelixConfiguration& configuration);
  void add_implied_profiles();
  base::Result<> add_stand_in_addresses();
  void index_workloads();

  k8s::Converter converter_;
  policy::Model model_;
  std::vector<std::string> warnings_;
  std::map<policy::PolicyKey, k8s::RuleOrigins> origins_;
  std::map<std::string, HostPod> host_pods_;
  std::map<std::string, std::vector<policy::IPAddress>> node_addresses_;  // as Kubernetes has them
  struct HostSettings {
    std::optional<std::vector<policy::Failsafe>> inbound, outbound;
    std::optional<policy::HostTrafficSettings::FromWorkload> from_workload;
    std::optional<policy::WorkloadInterfaces> workload_interfaces;
  };
  std::map<std::string, HostSettings> host_settings_;  // by FelixConfiguration
  std::unordered_map<std::string, policy::WorkloadKey> workloads_;
  std::set<std::string> finished_;  // pods
};

// Ranges that no network uses: benchmarking (RFC 2544) and discard-only (RFC 6666).
inline constexpr std::string_view k_stand_in_v4 = "198.18.0.0/15";
inline constexpr std::string_view k_stand_in_v6 = "100::/64";

}  // namespace margay::ctl
