#pragma once

// The vector engine, with packets from and to memory: the whole graph, one worker, in the calling
// thread.

#include <map>
#include <memory>

#include "differential/delta_source.h"
#include "differential/subject.h"
#include "vector/engine.h"

namespace margay::differential {

class EngineSubject : public Subject {
 public:
  base::Result<> start(const policy::Model& model,
                       const policy::HostTrafficSettings& settings) override;
  base::Result<> change(const std::vector<policy::ModelChange>& changes) override;
  // `conflict` when a packet buffer is missing afterwards.
  base::Result<Arrivals> exchange(std::span<const Injection> batch, Flows flows) override;
  const policy::ProgramState& program() const override { return deltas_->program(); }
  // The engine has nothing to compare by but what it does with packets.
  base::Result<std::string> start_over(const policy::Model& model) override;

 private:
  base::Result<> add_interfaces();
  void apply(const std::vector<policy::Delta>& deltas);
  base::Result<rte_mbuf*> make_packet(const policy::Packet& packet, const net::MacAddress& from,
                                      uint32_t id);
  void collect(Arrivals& arrivals);
  void forget_flows();

  std::unique_ptr<vector::Engine> engine_;
  std::unique_ptr<DeltaSource> deltas_;
  std::map<std::string, vector::InterfaceIndex> interfaces_;
  std::vector<std::string> names_;  // by InterfaceIndex
  uint64_t now_ms_ = 1;
  uint32_t first_id_ = 1;  // of the batch
};

}  // namespace margay::differential
