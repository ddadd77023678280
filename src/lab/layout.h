#pragma once

// Where a lab keeps its things and what it calls them.
//
// Every name is a function of the lab's directory alone: two labs in two directories never meet,
// and whatever is killed at whatever moment, the directory's path is enough to find and remove
// every namespace and process again (docs/decisions/0010-lab-names-from-its-directory.md).

#include <filesystem>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/node_state.h"
#include "base/result.h"

namespace margay::lab {

constexpr std::string_view k_default_directory = "/run/margay-lab";
constexpr int k_max_nodes = 100;
constexpr uint16_t k_api_port = 6443;  // on the underlay

struct Layout {
  std::filesystem::path directory;  // absolute, without symbolic links
  std::string id;                   // 8 hex digits of the directory's path

  // The directory need not exist. `invalid` for one that cannot be a lab's.
  static base::Result<Layout> at(const std::string& directory);

  // ---- files ----------------------------------------------------------------------------------
  std::filesystem::path settings_file() const { return directory / "lab.json"; }
  std::filesystem::path lock_file() const { return directory / "lock"; }
  // Held by the supervisor while it lives.
  std::filesystem::path supervisor_lock() const { return directory / "supervisor.lock"; }
  // Name -> pid of every program the supervisor runs now, as a JSON object.
  std::filesystem::path processes_file() const { return directory / "processes.json"; }
  std::filesystem::path logs() const { return directory / "logs"; }
  std::filesystem::path log_of(std::string_view program) const {
    return logs() / (std::string(program) + ".log");
  }
  std::filesystem::path apiserver() const { return directory / "apiserver"; }
  // For people, from the host's namespace.
  std::filesystem::path kubeconfig() const { return directory / "kubeconfig"; }
  std::filesystem::path nodes() const { return directory / "nodes"; }
  std::filesystem::path node(std::string_view name) const { return nodes() / name; }
  // For the node's programs, from inside its namespace.
  std::filesystem::path node_kubeconfig(std::string_view name) const {
    return node(name) / "kubeconfig";
  }
  // What the node's agent and CNI plugin leave for each other.
  base::NodeState node_state(std::string_view name) const {
    return {.lib = node(name) / "lib", .run = node(name) / "run"};
  }
  std::filesystem::path cni_bin() const { return directory / "cni-bin"; }
  std::filesystem::path cni_config(std::string_view name) const {
    return node(name) / "cni" / "net.d" / "10-calico.conflist";
  }
  // Of its agent's data plane, where the lab records.
  std::filesystem::path recording(std::string_view node_name) const {
    return node(node_name) / "recording";
  }
  std::filesystem::path pods(std::string_view node_name) const { return node(node_name) / "pods"; }

  // ---- names ----------------------------------------------------------------------------------
  std::string namespace_prefix() const { return "mgl-" + id + "-"; }
  std::string underlay_namespace() const { return namespace_prefix() + "underlay"; }
  std::string node_namespace(std::string_view name) const {
    return namespace_prefix() + std::string(name);
  }
  std::string pod_namespace(std::string_view container_id) const {
    return namespace_prefix() + "pod-" + std::string(container_id.substr(0, 12));
  }
  // The environment variable, "NAME=value", that every process of the lab carries.
  std::string mark() const { return "MARGAY_LAB=" + id; }
};

// node1, node2, ...
std::string node_name(int number);
// The other way; `invalid` when it is no node's name.
base::Result<int> node_number(std::string_view name);

// The network that joins the nodes. The underlay's own end is also where nodes find the API server.
struct UnderlayAddress {
  base::IPAddress address;
  unsigned prefix_length;
};
UnderlayAddress underlay_v4(int node_number);  // 0: the underlay itself
UnderlayAddress underlay_v6(int node_number);

// What `lab up` was asked for; written before anything else is made.
struct Settings {
  int nodes = 2;
  std::string dataplane = "iptables";
  bool ipv6 = false;      // pods are dual stack
  bool record = false;    // agents record what their data planes are asked
  uint16_t api_port = 0;  // on the host's 127.0.0.1

  base::Result<> save(const Layout& layout) const;
  // `not_found` when there is no lab in the directory.
  static base::Result<Settings> load(const Layout& layout);
};

}  // namespace margay::lab
