#pragma once

// The interfaces of a Linux network namespace, by rtnetlink: the one of the thread that calls
// start().

#include <chrono>
#include <memory>

#include "dataplane/interface.h"

namespace margay::dataplane::linux_host {

class InterfaceMonitor final : public InterfaceSource {
 public:
  // `refresh`: how often to list them, though nothing is known to be missed; 0: never. The listener
  // hears of it when that finds something.
  explicit InterfaceMonitor(std::chrono::milliseconds refresh = {});
  ~InterfaceMonitor() override;

  base::Result<> start(Listener& listener) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::dataplane::linux_host
