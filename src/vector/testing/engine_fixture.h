#pragma once

// An engine with two pods and an uplink, all in memory, for tests that send packets and look at
// what comes out:
//
//   pod a  10.65.0.1  fd00::1   behind "cali-a"
//   pod b  10.65.0.2  fd00::2   behind "cali-b"
//   everything else behind "eth0"; the node itself is 172.18.0.1 and fd00:172::1
//
// Whatever a test does, no packet buffer may be missing when it ends.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "vector/engine.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector::testing {

struct Sent {
  std::string interface;
  Bytes frame;
};

class EngineFixture : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override;

  // Replaces the engine by one with these options, configured as above.
  void start(const EngineOptions& options);

  // The packets that leave when this one comes in. All workers work until nothing moves any more.
  std::vector<Sent> send(const std::string& interface, const Bytes& frame);
  std::vector<Sent> send_all(const std::string& interface, const std::vector<Bytes>& frames);
  // The same as text: "cali-b 10.65.0.1:1000 > 10.65.0.2:80" for each.
  using Texts = std::vector<std::string>;
  Texts leave(const std::string& interface, const Bytes& frame);
  Texts leave_all(const std::string& interface, const std::vector<Bytes>& frames);
  void pass_time(uint64_t ms) { now_ms_ += ms; }
  // Each worker has one round, then forgets all sessions whose time is over.
  void expire_sessions();

  // A frame from a pod, or from the router behind the uplink, to the engine.
  static PacketBuilder from(const std::string& interface);
  static Bytes tcp(const char* source, uint16_t source_port, const char* destination,
                   uint16_t destination_port, uint8_t flags);
  static Bytes udp(const char* source, uint16_t source_port, const char* destination,
                   uint16_t destination_port, size_t payload = 4);
  // The IPv4 packet of a frame, and a frame for one.
  static Bytes without_ethernet(const Bytes& frame);
  static Bytes with_ethernet(const Bytes& packet);

  // What an endpoint's policy says; none: everything is allowed.
  static policy::ProgramRule rule(policy::Action action);
  void set_policy(const std::string& pod, std::vector<policy::ProgramRule> ingress,
                  std::vector<policy::ProgramRule> egress);
  void set_workload(const std::string& pod, bool has_policy, bool up = true);

  // From TCP port 80 of the address to port 8080 of its backends.
  void add_service(const char* address, const std::vector<const char*>& backends,
                   bool masquerade = false);

  uint64_t drops(DropReason reason) const;
  // Packets that each reason dropped, without those that dropped none: "no-route: 2".
  std::string all_drops() const;
  uint32_t sessions() const;

  std::unique_ptr<Engine> engine_;
  uint64_t now_ms_ = 1'000'000;

 private:
  InterfaceIndex index_of(const std::string& interface) const;
  void configure();
  bool work(std::vector<Sent>& out);
};

// The source and destination of an IP packet in a frame as text: "10.65.0.1:1000 > 10.65.0.2:80".
std::string flow_text(const Bytes& frame);

}  // namespace margay::vector::testing
