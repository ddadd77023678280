#pragma once

// A data plane: turns the desired state that deltas describe into programmed state.
//
// One shape for everything it owns: desired table, known-actual table, minimal difference, apply,
// verify. At start it reads what is there and sweeps what it owns but no longer wants, only after
// InSync; until then what an earlier run programmed goes on enforcing.
//
// One control thread calls it. What it has to tell by itself goes to the Upcalls it was made with
// (dataplane/upcalls.h). Why it is cut so: docs/decisions/0051-data-plane-seam.md.

#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/capabilities.h"
#include "dataplane/difference.h"
#include "dataplane/endpoint_status.h"
#include "dataplane/interface.h"
#include "policy/program.h"

namespace margay::dataplane {

struct ApplyReport {
  // Whether everything is as desired. On error, what could not be programmed stays pending and as
  // closed as it was, and the next apply() tries it again.
  base::Result<> outcome;
  // The endpoints whose status has changed since the last report; the first one has them all.
  std::vector<EndpointReport> endpoints;
  // How long until apply() is to be called again, though nothing has changed: it then looks at what
  // it has written. With an error it means nothing: it is tried again anyway, ever later.
  std::optional<std::chrono::milliseconds> again_in = std::nullopt;
};

class DataPlane {
 public:
  virtual ~DataPlane() = default;

  // The same at all times.
  virtual Capabilities capabilities() const = 0;
  // Remembers; programs nothing yet.
  virtual void on_delta(const policy::Delta& delta) = 0;
  // An interface of this host was made or has changed, or is gone. What could not be programmed for
  // want of it is tried at the next apply().
  virtual void on_interface(const Interface& interface) = 0;
  virtual void on_interface_removed(const std::string& name) = 0;

  // Brings the programmed state to the desired one. One endpoint that cannot be programmed does not
  // keep others from it: it is closed, and reported with the reason.
  //
  // Before InSync it lays the closed start and no more: where no earlier run has left anything that
  // enforces, workloads pass nothing. It opens and removes nothing.
  virtual ApplyReport apply() = 0;
  // Forgets what is believed to be programmed of that kind, so that the next apply() reads it anew
  // and repairs what others changed.
  virtual void resync(StateKind kind) = 0;
  // Reads what is programmed, writes nothing, and says what of it is not as desired: also of a data
  // plane that has not applied anything. What an interface is awaited for is no difference.
  // `unavailable`: it cannot be read.
  virtual base::Result<Differences> differences() {
    return base::fail(base::ErrorCode::unavailable, "what it has programmed cannot be read");
  }
  // Removes everything this data plane ever made on this node.
  virtual base::Result<> clean_up() = 0;
};

}  // namespace margay::dataplane
