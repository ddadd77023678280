#pragma once

// A data plane without a kernel: keeps the desired state as values, "programs" it by copying it,
// and remembers what it was asked. It uses all of the seam, and is told by the test what it can do
// and what fails.

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "dataplane/upcalls.h"
#include "policy/program_state.h"

namespace margay::dataplane::testing {

// What the test and the data plane share: the data plane runs on the agent's thread, and is owned
// by it. All members under `mutex`; wait with eventually().
struct Recorded {
  std::mutex mutex;
  std::condition_variable changed;

  // What the data plane does.
  Capabilities capabilities{.name = "recording", .host_endpoints = true, .services = true};
  int failures_to_come = 0;                    // of apply() as a whole
  std::map<EndpointKey, std::string> refused;  // endpoint -> why it cannot be programmed
  std::optional<std::chrono::milliseconds> again_in;

  // What it was asked, and has programmed.
  std::vector<policy::Delta> deltas;
  std::map<std::string, Interface> interfaces;
  policy::ProgramState programmed;
  bool closed_start = false;
  int applies = 0;
  std::map<StateKind, int> resyncs;
  std::vector<std::string> protocol_errors;  // deltas that break policy/program.h's protocol
  Upcalls* upcalls = nullptr;                // while the data plane lives

  // Whether `condition` (called under the mutex) comes true in time.
  template <typename Condition>
  bool eventually(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), condition);
  }
  // Under the mutex.
  template <typename Read>
  auto read(Read what) {
    const std::scoped_lock lock(mutex);
    return what();
  }
};

class RecordingDataPlane final : public DataPlane {
 public:
  // Both outlive it.
  RecordingDataPlane(Recorded& recorded, Upcalls& upcalls);
  ~RecordingDataPlane() override;

  Capabilities capabilities() const override;
  void on_delta(const policy::Delta& delta) override;
  void on_interface(const Interface& interface) override;
  void on_interface_removed(const std::string& name) override;
  ApplyReport apply() override;
  void resync(StateKind kind) override;
  base::Result<> clean_up() override;

 private:
  EndpointStatus status_of(const policy::WorkloadEndpoint& endpoint) const;
  void report_endpoints();

  Recorded& recorded_;
  policy::ProgramState desired_;
  EndpointStatusTable statuses_;
};

}  // namespace margay::dataplane::testing
