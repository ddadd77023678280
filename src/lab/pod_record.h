#pragma once

// What a pod runner knows of a container it made, on disk: written before the first thing is made,
// removed after the last one is gone, so that nothing is forgotten whenever the runner is killed.
// `lab exec` and `lab probe` find a pod's network namespace here.

#include <filesystem>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "lab/layout.h"
#include "lab/serve.h"

namespace margay::lab {

struct PodRecord {
  std::string container_id;
  std::string ns;
  std::string name;
  std::string uid;
  std::string network_namespace;           // a named one's name
  bool host_network = false;               // then it is the node's, and CNI has no part in it
  std::vector<base::IPAddress> addresses;  // empty until CNI has given them
  std::vector<ServedPort> ports;

  std::string id() const { return ns + "/" + name; }

  base::Result<> save(const std::filesystem::path& directory) const;
  base::Result<> erase(const std::filesystem::path& directory) const;
  // The server's lock (lab/serve.h), beside the record.
  std::filesystem::path server_file(const std::filesystem::path& directory) const {
    return directory / (container_id + ".server");
  }
};

// Every record in the directory; a missing directory has none.
base::Result<std::vector<PodRecord>> load_pod_records(const std::filesystem::path& directory);
// Of all nodes of the lab.
base::Result<std::vector<PodRecord>> load_all_pod_records(const Layout& layout);

}  // namespace margay::lab
