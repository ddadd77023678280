#pragma once

// `calicoctl node status`: whether a node's agent runs here, and what BIRD says of its BGP
// sessions.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ctl/resource_commands.h"

namespace margay::ctl {

struct BgpSession {
  std::string address;
  std::string type;  // "node-to-node mesh", "global", "node specific"
  std::string state, since, info;
  bool operator==(const BgpSession&) const = default;
};

// BIRD's answer to `show protocols` (its reply codes: doc/reply_codes). Sessions are those that are
// called Mesh_, Global_ or Node_ and the peer's address, with "_" for its dots or colons; other
// protocols are left out. Another answer is `internal`.
base::Result<std::vector<BgpSession>> parse_bird_protocols(std::string_view answer, bool is_v6);

// Asks the BIRD behind a socket; `timeout` after two seconds without an answer.
base::Result<std::string> ask_bird(const std::string& socket, const std::string& command);

// Of this machine. Fails where no agent runs, Margay's or Calico's.
Outcome node_status();

}  // namespace margay::ctl
