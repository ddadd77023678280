#pragma once

// Packets that are worth sending. Most random packets end at the same few rules; so several
// candidates are made for each, some aimed at what a rule asks, and the one is taken whose way
// through the policies (which rules it met, and which field of each it failed) was seen least. With
// one candidate for each nothing is compared, which is a hundred times as fast.

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_set>

#include "base/address_hash.h"
#include "differential/oracle.h"
#include "policy/generate.h"

namespace margay::differential {

class PacketSource {
 public:
  // All outlive this.
  PacketSource(policy::Generator& generator, std::mt19937_64& random, const policy::Model& model,
               const Oracle& oracle, size_t candidates)
      : packets_(generator.packets(model)),
        random_(random),
        model_(model),
        oracle_(oracle),
        candidates_(candidates) {}

  // Nothing when no candidate could be judged; ask again.
  std::optional<Expectation> next();
  // The packets that follow go through an empty connection tracking table.
  void start_batch();

 private:
  // Flows that connection tracking would take for one another, or for replies to one another, must
  // not share a batch: only first packets are judged. Masquerade hides who sent a packet behind an
  // address of the node's: what is for the node must answer nobody, and of a protocol without ports
  // only one may have each address.
  bool is_new_flow(const policy::Packet& packet) const;
  bool is_new_flow(const Expectation& expected) const;
  void remember_flow(const policy::Packet& packet);

  std::optional<Expectation> candidate();
  // From, to or through the node's own interfaces, and to services.
  policy::Packet host_packet();
  void aim_failsafe(policy::Packet& packet);
  void aim_named_port(policy::Packet& packet);
  // A policy of some host endpoint's, each stage as likely as the others; none: null.
  const policy::Policy* any_policy_of_hosts();
  const policy::Rule* any_rule(const policy::Policy& policy, policy::Direction direction);
  void aim_frontend(policy::Packet& packet);
  std::optional<Expectation> least_familiar();
  size_t familiarity(const std::vector<std::string>& features) const;
  const policy::Rule* any_rule(const std::vector<const policy::Policy*>& policies,
                               policy::Direction direction);
  void aim(const policy::Rule& rule, policy::Direction direction, policy::Packet& packet);
  void aim_port(const policy::EntityMatch& entity, uint16_t& port);
  void aim_address(const policy::EntityMatch& entity, policy::IPAddress& address);
  const policy::WorkloadEndpoint& any_endpoint();
  size_t below(size_t bound) { return random_() % bound; }

  struct Flow {
    policy::IPAddress source, destination;
    uint8_t protocol = 0;
    uint16_t source_port = 0, destination_port = 0;
    bool operator==(const Flow&) const = default;
  };
  static std::optional<Flow> flow_of(const policy::Packet& packet);  // nothing: always a new one
  struct FlowHash {
    size_t operator()(const Flow& flow) const;
    base::AddressHash of_address;
  };

  policy::PacketGenerator packets_;
  std::mt19937_64& random_;
  const policy::Model& model_;
  const Oracle& oracle_;
  const size_t candidates_;
  std::map<std::string, size_t> seen_;
  std::unordered_set<Flow, FlowHash> flows_, flows_of_anyone_;  // of the latter the source is unset
  std::set<std::pair<uint8_t, policy::IPAddress>> portless_;
};

}  // namespace margay::differential
