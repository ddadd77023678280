#pragma once

// For tests: the installed programs, and what was written through them.

#include <memory>
#include <string>
#include <vector>

#include "dataplane/iptables/commands.h"

namespace margay::dataplane::iptables {

// Passes on to the installed programs, and remembers what was written.
class RecordingCommands final : public Commands {
 public:
  RecordingCommands(std::unique_ptr<Commands> real, std::vector<std::string>& written)
      : real_(std::move(real)), written_(written) {}
  base::Result<std::string> save(policy::IPFamily family) override { return real_->save(family); }
  base::Result<> restore(policy::IPFamily family, const std::string& input) override {
    written_.push_back(input);
    return real_->restore(family, input);
  }
  base::Result<std::string> save_sets() override { return real_->save_sets(); }
  base::Result<> restore_sets(const std::string& input) override {
    written_.push_back(input);
    return real_->restore_sets(input);
  }

 private:
  std::unique_ptr<Commands> real_;
  std::vector<std::string>& written_;
};

}  // namespace margay::dataplane::iptables
