#pragma once

// What a runtime tells a plugin through its environment
// (https://www.cni.dev/docs/spec/#parameters).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "cni/errors.h"

namespace margay::cni {

enum class Operation : uint8_t { add, del, check, version };

// What Kubernetes passes in CNI_ARGS.
struct PodIdentity {
  std::string ns;
  std::string name;
  std::string uid;  // empty: an older kubelet
};

struct Arguments {
  Operation operation = Operation::version;
  std::string container_id;
  std::string network_namespace;  // a path; may be empty for DEL
  std::string interface_name;     // in the container
  std::vector<std::string> plugin_folders;
  std::optional<PodIdentity> pod;
  std::optional<base::IPAddress> wanted_address;  // "IP" in CNI_ARGS
};

// The value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

CniResult<Arguments> parse_arguments(const Environment& environment);

// The host's end of a pod's veth pair: "cali" and the first 11 hex digits of the SHA-1 of
// "namespace.name".
std::string host_interface_name(const PodIdentity& pod);
// Whose the addresses of a container are: "k8s-pod-network.<container id>".
std::string handle_id(std::string_view network, std::string_view container_id);

}  // namespace margay::cni
