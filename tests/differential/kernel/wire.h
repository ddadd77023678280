#pragma once

// The network around the node under test: veth pairs whose near ends are the node's interfaces and
// whose far ends we hold. The node is this process's own network namespace, made fresh, and the
// far side another one that only we have open, so nothing outlives the process however it ends.
//
// What closes a batch goes over a pair of its own, `sink`, whose both ends we hold.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "differential/kernel/host_sockets.h"
#include "differential/subject.h"
#include "net/network_namespace.h"

namespace margay::differential {

class Wire {
 public:
  // Moves the calling thread into the node's new namespace. Needs root.
  static base::Result<Wire> create(size_t workloads);

  // Sends all packets and waits until the node has dealt with every one of them: packets pass the
  // node in order (one CPU), so the batch is over when a last frame has come to the node and back.
  // `timeout` when it has not. Unless flows are kept, connection tracking is emptied first.
  base::Result<Arrivals> exchange(std::span<const Injection> batch, Flows flows);

 private:
  struct FarEnd {
    int index = 0;
    net::MacAddress near_mac, far_mac;
  };

  explicit Wire(net::NetworkNamespace far_side) : far_side_(std::move(far_side)) {}
  base::Result<> add_pair(const std::string& name, const net::MacAddress& far_mac);
  base::Result<> set_up_node();
  base::Result<> learn_far_ends();
  base::Result<> send(const Injection& injection, PacketId id);
  // Takes what has arrived on the socket; true once `last` has.
  base::Result<bool> collect(const base::UniqueFd& socket, uint32_t last, Arrivals* arrivals);
  base::Result<> await(const base::UniqueFd& socket, uint32_t last, Arrivals* arrivals);

  net::NetworkNamespace far_side_;
  base::UniqueFd socket_;     // AF_PACKET on every far end
  base::UniqueFd near_sink_;  // and on the near end of the sink
  int near_sink_index_ = 0;
  std::optional<HostSockets> host_;
  std::map<std::string, FarEnd> ends_;
  std::map<int, std::string> by_index_;
  uint32_t next_id_ = 1;
  uint32_t first_id_ = 1;  // of the batch
};

}  // namespace margay::differential
