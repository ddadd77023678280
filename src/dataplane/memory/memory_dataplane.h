#pragma once

// A data plane that programs nothing: it adds deltas up, and says when they break the protocol of
// policy/program.h. For looking at what an agent would program, and at recordings.

#include <string>

#include "dataplane/dataplane.h"
#include "policy/program_state.h"

namespace margay::dataplane::memory {

class MemoryDataPlane final : public DataPlane {
 public:
  Capabilities capabilities() const override;
  void on_delta(const policy::Delta& delta) override;
  void on_interface(const Interface&) override {}
  void on_interface_removed(const std::string&) override {}
  // Fails from the first delta on that broke the protocol, and says which.
  ApplyReport apply() override;
  void resync(StateKind) override {}
  base::Result<> clean_up() override;

  // As of the last apply().
  const policy::ProgramState& programmed() const { return programmed_; }

 private:
  policy::ProgramState desired_, programmed_;
  uint64_t deltas_ = 0;
  base::Result<> broken_;
  EndpointStatusTable statuses_;
};

}  // namespace margay::dataplane::memory
