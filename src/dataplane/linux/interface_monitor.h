#pragma once

// The interfaces of a Linux network namespace, by rtnetlink: the one of the thread that calls
// start().

#include <memory>

#include "dataplane/interface.h"

namespace margay::dataplane::linux_host {

class InterfaceMonitor final : public InterfaceSource {
 public:
  InterfaceMonitor();
  ~InterfaceMonitor() override;

  base::Result<> start(Listener& listener) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::dataplane::linux_host
