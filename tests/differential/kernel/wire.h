#pragma once

// The network around the node under test: veth pairs whose near ends are the node's interfaces and
// whose far ends we hold. The node is this process's own network namespace, made fresh, and the
// far side another one that only we have open, so nothing outlives the process however it ends.
//
//   cali0000 .. cali00NN  (node) ---- workloads' ends
//   uplink                (node) ---- everything else: the default route of both families
//   sink                  (node) ---- where the packets that close a batch go: no policy is on it

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "differential/subject.h"
#include "net/network_namespace.h"

namespace margay::differential {

class Wire {
 public:
  // Moves the calling thread into the node's new namespace. Needs root.
  static base::Result<Wire> create(size_t workloads);

  // Sends all packets and waits until the node has dealt with every one of them: packets pass the
  // node in order (one CPU), so the batch is over when a last packet to the sink is seen.
  // `timeout` when it is not. Connection tracking is emptied first.
  base::Result<Arrivals> exchange(std::span<const Injection> batch);

 private:
  struct FarEnd {
    int index = 0;
    net::MacAddress near_mac, far_mac;
  };

  explicit Wire(net::NetworkNamespace far_side) : far_side_(std::move(far_side)) {}
  base::Result<> add_pair(const std::string& name, const net::MacAddress& far_mac);
  base::Result<> set_up_node();
  base::Result<> learn_far_ends();
  base::Result<> send(const FarEnd& end, const policy::Packet& packet, uint32_t id);
  // Takes what has arrived; true once `last` has.
  base::Result<bool> collect(uint32_t first, uint32_t last, Arrivals& arrivals);

  net::NetworkNamespace far_side_;
  base::UniqueFd socket_;  // AF_PACKET on every far end
  std::map<std::string, FarEnd> ends_;
  std::map<int, std::string> by_index_;
  uint32_t next_id_ = 1;
};

}  // namespace margay::differential
