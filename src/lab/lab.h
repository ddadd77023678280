#pragma once

// The commands of `margay lab`, as functions.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/layout.h"

namespace margay::lab {

// Starts a lab and waits until everything is ready: API server, every node registered, every agent
// ready. `conflict` when one runs in that directory. A lab that does not get ready is removed
// again; its logs stay.
base::Result<> up(const Layout& layout, Settings settings, const std::string& binary);

// Ends every process, then removes every namespace and file of the lab, however it came to its
// present state. No lab there is fine.
base::Result<> down(const Layout& layout);

// Becomes `command` in the pod's network namespace; returns only with an Error.
base::Error exec_in_pod(const Layout& layout, const std::string& pod,
                        const std::vector<std::string>& command);

struct ProbeRequest {
  std::string from, to;                // selectors; empty: every pod
  std::vector<std::string> protocols;  // tcp, udp; empty: each port's own
  std::vector<uint16_t> ports;         // empty: the first port that each container declares
  std::string output = "text";
  std::chrono::milliseconds timeout{1000};
  std::chrono::seconds wait{30};  // at most so long for selected pods that are still starting
};
// What `lab probe` prints. `tell` hears, a line each, that pods are waited for and which of them
// did not start in time: they are left out.
base::Result<std::string> probe_pods(const Layout& layout, const ProbeRequest& request,
                                     const std::function<void(const std::string&)>& tell);

}  // namespace margay::lab
