#pragma once

// How it stands with each endpoint of a node: what a data plane reports, in Felix's three words and
// with the reason.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/model.h"

namespace margay::dataplane {

using EndpointKey = std::variant<policy::WorkloadKey, policy::HostEndpointKey>;
// "workload endpoint node-a/k8s/default/web/eth0", "host endpoint node-a/eth0".
std::string to_string(const EndpointKey& key);

enum class EndpointState : uint8_t {
  up,     // its policy is programmed, and packets that policy allows reach it
  down,   // programmed as far as can be; it waits for something that is not the data plane's
  error,  // could not be programmed: it is closed
};
inline constexpr EndpointState k_endpoint_states[] = {EndpointState::up, EndpointState::down,
                                                      EndpointState::error};
// "up", "down", "error".
std::string_view to_string(EndpointState state);

struct EndpointStatus {
  EndpointState state = EndpointState::up;
  std::string reason;  // empty when up: "interface cali123 is not there", "iptables-restore: ..."
  bool operator==(const EndpointStatus&) const = default;
};

struct EndpointReport {
  EndpointKey key;
  std::optional<EndpointStatus> status;  // nothing: the endpoint is gone
  bool operator==(const EndpointReport&) const = default;
};

// What a data plane says about its endpoints, and what of it is news.
class EndpointStatusTable {
 public:
  void set(const EndpointKey& key, EndpointStatus status);
  void remove(const EndpointKey& key);
  // What has changed since the last call, in the order of the keys.
  std::vector<EndpointReport> take_changes();

 private:
  std::map<EndpointKey, EndpointStatus> now_, reported_;
  std::set<EndpointKey> touched_;
};

}  // namespace margay::dataplane
