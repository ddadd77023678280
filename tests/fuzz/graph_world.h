#pragma once

// An engine of two workers that a fuzzer plays with, polled by hand, and what must hold of every
// packet that leaves it:
//
//   pod a  10.0.0.1  fd00::1     behind "cali-a"; policy changes, it goes and comes back
//   pod b  10.0.0.2  fd00::2     behind "cali-b"; the same, and its interface too
//   pod c  10.0.0.3  fd00::3     behind "cali-c"; never lets anybody in
//   a service of TCP, UDP and SCTP port 80  10.96.0.1  fd96::1   backends: port 88 of a, b, c,
//   outside a service that masquerades              10.96.0.2  fd96::2 a route that changes
//   10.9.0.0/16  fd09::/16 everything else behind "eth0"; the node itself is 172.18.0.1 and
//   fd00:172::1
//
// Everything that may run out is small. What does not hold ends the process with a message.

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "vector/engine.h"

namespace margay::fuzz {

using Frame = std::vector<uint8_t>;

void require(bool holds, const char* what);

enum class Port : uint8_t { eth0, cali_a, cali_b, cali_c, cali_d };  // d never has a workload
inline constexpr size_t k_ports = 5;
enum class Pod : uint8_t { a, b, c };

class GraphWorld {
 public:
  explicit GraphWorld(vector::PolicyChangeAppliesTo policy_change_applies_to);

  // Packets wait until `flush`, or until one for another port or worker comes.
  void send(Port port, unsigned worker, const Frame& frame, unsigned segments);
  void flush();
  void poll(unsigned worker);
  void pass_time(uint64_t ms);
  // Takes packet buffers away until so many are left.
  void hoard(unsigned left);

  // Configuration; workers see policy and workloads with `publish`.
  void set_policy(Pod pod, uint8_t variant);
  void set_workload(Pod pod, bool there, bool up);
  void set_service(uint8_t backends);
  void set_masquerading_service(bool there, uint8_t backends);
  void set_route(uint8_t variant);
  void set_port(Port port, bool there);
  void set_node_addresses(bool there);
  void publish() { engine_->publish(); }

  // Checks what must hold between inputs, forgets everything, and configures what was changed.
  void finish();

  struct Seen {
    Port port;
    Frame frame;
  };
  // The last packets that left; `back` counts from the latest.
  const Seen* left(size_t back) const {
    return back < left_.size() ? &left_[left_.size() - 1 - back] : nullptr;
  }

 private:
  class Watch;
  struct FreeWatch {
    void operator()(Watch* watch) const;
  };
  using Flow = std::array<uint8_t, 37>;  // protocol, addresses, ports

  void configure();
  void collect(unsigned worker);
  void check(vector::InterfaceIndex interface, rte_mbuf* packet) const;
  void check_answer_to_c(const Frame& frame, const vector::Parsed& parsed) const;
  void check_sessions();
  void note_opened(const Frame& frame);
  uint64_t dropped() const;
  std::optional<Port> port_of(vector::InterfaceIndex interface) const;
  bool settle();

  std::unique_ptr<vector::Engine> engine_;
  std::unique_ptr<Watch, FreeWatch> watch_;
  std::array<std::optional<vector::InterfaceIndex>, k_ports> ports_;
  std::array<bool, 3> routed_{};  // whether the pod's addresses have led to it all the time
  bool changed_ = true;
  uint64_t now_ms_ = 1'000'000;

  std::vector<rte_mbuf*> waiting_;
  Port waiting_port_ = Port::eth0;
  unsigned waiting_worker_ = 0;
  std::vector<rte_mbuf*> hoard_;

  std::deque<Seen> left_;
  std::set<Flow> opened_by_c_;
  uint64_t in_ = 0, out_ = 0, dropped_before_ = 0;
};

}  // namespace margay::fuzz
