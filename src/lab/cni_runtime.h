#pragma once

// The container runtime's side of CNI (https://www.cni.dev/docs/spec/): runs the plugins of a
// network configuration list for one container, as containerd does.

#include <filesystem>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace margay::lab {

struct CniContainer {
  std::string id;
  std::string network_namespace;  // path
  std::string pod_namespace;
  std::string pod_name;
  std::string pod_uid;
};

class CniRuntime {
 public:
  CniRuntime(std::filesystem::path configuration, std::filesystem::path plugins)
      : configuration_(std::move(configuration)), plugins_(std::move(plugins)) {}

  // The addresses the container got. An Error has the plugin's own code and message.
  base::Result<std::vector<base::IPAddress>> add(const CniContainer& container) const;
  // Fine when there is nothing to remove.
  base::Result<> del(const CniContainer& container) const;

 private:
  std::filesystem::path configuration_;  // *.conflist
  std::filesystem::path plugins_;        // CNI_PATH
};

}  // namespace margay::lab
