#pragma once

// Interfaces as the test wants them.

#include "dataplane/interface.h"

namespace margay::dataplane::testing {

class FakeInterfaceSource final : public InterfaceSource {
 public:
  // Before start(): what is there then.
  explicit FakeInterfaceSource(std::vector<Interface> present = {})
      : present_(std::move(present)) {}

  base::Result<> start(Listener& listener) override {
    listener_ = &listener;
    listener.on_interfaces(present_);
    return {};
  }
  // Not before start(). On the test's thread.
  Listener& listener() { return *listener_; }

 private:
  std::vector<Interface> present_;
  Listener* listener_ = nullptr;
};

}  // namespace margay::dataplane::testing
