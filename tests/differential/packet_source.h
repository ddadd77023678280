#pragma once

// Packets that are worth sending. Most random packets end at the same few rules; so several
// candidates are made for each, some aimed at what a rule asks, and the one is taken whose way
// through the policies (which rules it met, and which field of each it failed) was seen least.

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include "differential/oracle.h"
#include "policy/generate.h"

namespace margay::differential {

class PacketSource {
 public:
  // All outlive this.
  PacketSource(policy::Generator& generator, std::mt19937_64& random, const policy::Model& model,
               const Oracle& oracle)
      : generator_(generator), random_(random), model_(model), oracle_(oracle) {}

  // Nothing when no candidate could be judged; ask again.
  std::optional<Expectation> next();
  // The packets that follow go through an empty connection tracking table.
  void start_batch();

 private:
  // Flows that connection tracking would take for one another, or for replies to one another, must
  // not share a batch: only first packets are judged. Masquerade hides who sent a packet of a
  // protocol without ports, so of those only one may go to each destination.
  bool is_new_flow(const policy::Packet& packet) const;
  void remember_flow(const policy::Packet& packet);

  std::optional<Expectation> candidate();
  size_t familiarity(const Expectation& expectation) const;
  const policy::Rule* any_rule(const policy::WorkloadEndpoint& endpoint,
                               policy::Direction direction);
  void aim(const policy::Rule& rule, policy::Direction direction, policy::Packet& packet);
  void aim_port(const policy::EntityMatch& entity, uint16_t& port);
  void aim_address(const policy::EntityMatch& entity, policy::IPAddress& address);
  const policy::WorkloadEndpoint& any_endpoint();
  size_t below(size_t bound) { return random_() % bound; }

  using Flow = std::tuple<uint8_t, policy::IPAddress, uint16_t, policy::IPAddress, uint16_t>;

  policy::Generator& generator_;
  std::mt19937_64& random_;
  const policy::Model& model_;
  const Oracle& oracle_;
  std::map<std::string, size_t> seen_;
  std::set<Flow> flows_;
  std::set<std::pair<uint8_t, policy::IPAddress>> portless_;
};

}  // namespace margay::differential
