#pragma once

// `calicoctl version`: of this program, and of what runs in the cluster.

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "ctl/resource_commands.h"

namespace margay::ctl {

// "1s", "10m", "1h30m", "250ms", as Go writes durations; "0" is none.
base::Result<std::chrono::milliseconds> parse_go_duration(std::string_view text);

// The lines about this program.
std::string client_version();

// What is known of the cluster, of which only what has changed is told.
class ClusterVersion {
 public:
  explicit ClusterVersion(Connect connect) : connect_(std::move(connect)) {}
  Outcome look();

 private:
  Connect connect_;
  std::string version_, type_;
};

}  // namespace margay::ctl
