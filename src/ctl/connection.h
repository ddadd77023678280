#pragma once

// Which datastore calicoctl works on, and how it gets there: from a file (a CalicoAPIConfig of
// Calico v3.19), else from the environment: DATASTORE_TYPE, KUBECONFIG, K8S_*, and MARGAY_DATA_DIR
// for the embedded store.

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/kubernetes/kubeconfig.h"
#include "store/store.h"

namespace margay::ctl {

inline constexpr const char* k_default_config = "/etc/calico/calicoctl.cfg";

struct ConnectionSettings {
  std::string type;      // kubernetes, embedded or etcdv3
  std::string data_dir;  // of the embedded store
  std::string kubeconfig, kubeconfig_inline, context;
  // Each instead of what the kubeconfig says.
  std::string endpoint, ca_file, certificate_file, key_file, token;
  bool insecure_skip_verify = false;
};

using Environment = std::function<std::string(const char* name)>;  // empty: not set

// A file that was asked for must be there. All that is wrong with it is one error.
base::Result<ConnectionSettings> read_connection_settings(const std::string& config_file,
                                                          const Environment& environment);

// Opens the store in a data directory that no server works on: `unavailable` while another process
// has it; `not_found` when there is none, but to write, which makes one. As the API server would
// show it (apiserver/local_store.h).
enum class Access { read, write };
using OpenLocal = std::function<base::Result<std::unique_ptr<store::Store>>(
    const std::string& data_dir, Access access)>;

// Nothing is asked of a server yet. The embedded store is opened here where no server runs on its
// directory; where one does, it is asked, as its administrator
// (docs/decisions/0075-calicoctl-on-the-embedded-store.md). etcdv3 is `unsupported`.
base::Result<std::unique_ptr<store::Store>> connect(const ConnectionSettings& settings,
                                                    const OpenLocal& open_local, Access access);

}  // namespace margay::ctl
