#pragma once

// One run of the controllers: settings, looks, health.

#include <chrono>
#include <string>

#include "base/result.h"
#include "controllers/status_file.h"

namespace margay::controllers {

struct ProgramOptions {
  std::string kubeconfig;  // empty: the service account of the pod this runs in
  std::string status_file = k_default_status_file;
  std::chrono::milliseconds leak_grace = std::chrono::minutes(15);
};

// Until a signal ends it, with the exit status.
base::Result<int> run_controllers(const ProgramOptions& options);

}  // namespace margay::controllers
