#pragma once

// What the controllers run with: the environment, by the names of Calico v3.19's kube-controllers
// (pkg/config), before KubeControllersConfiguration "default".

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/calico.h"
#include "base/result.h"

namespace margay::controllers {

// Unset: not in the environment.
struct Environment {
  std::optional<bool> runs_node;                             // ENABLED_CONTROLLERS
  std::optional<std::string> log_level;                      // LOG_LEVEL
  std::optional<bool> health_checks;                         // HEALTH_ENABLED
  std::optional<std::chrono::milliseconds> reconcile_every;  // RECONCILER_PERIOD
  std::vector<std::string> warnings;                         // what is set and has no effect

  // From K=V strings ended by null. `invalid` names the variable and the rule; `unsupported`: what
  // would need another datastore (DATASTORE_TYPE) or a controller that is not here.
  static base::Result<Environment> read(const char* const* environment);
};

struct Settings {
  bool runs_node = true;
  std::string log_level = "info";
  bool health_checks = true;
  std::chrono::milliseconds reconcile_every = std::chrono::minutes(5);
  std::vector<std::string> warnings;
  bool operator==(const Settings&) const = default;
};

// `configuration`: none has been made.
Settings merge(const Environment& environment,
               const std::optional<api::KubeControllersConfiguration>& configuration);

}  // namespace margay::controllers
