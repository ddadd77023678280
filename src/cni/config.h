#pragma once

// The network configuration a runtime gives a plugin on standard input, with Calico's fields
// (https://docs.tigera.io/archive/v3.19/reference/cni-plugin/configuration).

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "cni/errors.h"

namespace margay::cni {

namespace json = boost::json;

struct IpamConfig {
  std::string type;  // "calico-ipam" is built in; others are programs in CNI_PATH
  bool assign_ipv4 = true;
  bool assign_ipv6 = false;
  std::vector<std::string> ipv4_pools;  // names or CIDRs
  std::vector<std::string> ipv6_pools;
  std::vector<base::Prefix> routes;  // host-local's: what to route to the container's gateway
};

struct NetworkConfig {
  std::string version;  // cniVersion
  std::string name;
  std::string type;
  std::string datastore_type;
  std::string kubeconfig;
  std::string node_name;
  std::string node_name_file;
  uint32_t mtu = 0;  // 0: what the node's agent has worked out, else the kernel's default
  bool kubernetes_policy = false;  // policy.type is "k8s": ask the API server about the pod
  bool allow_ip_forwarding = false;
  bool include_default_routes = false;
  bool feature_ip_addrs_no_ipam = false;
  bool feature_floating_ips = false;
  std::string log_level;
  std::string log_file_path;
  size_t log_file_bytes = 100 << 20;  // log_file_max_size, which is in megabytes
  size_t log_files = 10;              // log_file_max_count: of those that were put aside
  IpamConfig ipam;
  json::object document;  // as it came, for plugins it is passed on to; prevResult is in there
};

inline constexpr std::string_view k_versions[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"};
inline constexpr std::string_view k_newest_version = "1.0.0";
bool is_supported(std::string_view version);

// All that is wrong with the configuration is one error (code 7); text that is not JSON code 6, a
// version that is not supported code 1.
CniResult<NetworkConfig> parse_config(std::string_view text);

// "cniVersion" of a text, for errors about it; the newest when there is none.
std::string version_of(std::string_view text);

}  // namespace margay::cni
