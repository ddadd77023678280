#pragma once

// The vector engine: tables, their control side, and the workers. Everything here is the control
// thread's; a worker's `poll` is its own thread's, which may be the same one (tests, benchmarks).
//
// Routes and services become visible to workers at once, each value whole; policy and workloads
// with `publish`, which also makes sessions be looked at again.

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "policy/program.h"
#include "vector/classifier/classifier.h"
#include "vector/forwarding.h"
#include "vector/memory_driver.h"
#include "vector/packet_buffers.h"
#include "vector/service/service_table.h"
#include "vector/tables.h"
#include "vector/worker.h"
#include "vector/workloads.h"

namespace margay::vector {

class Observer;

struct InterfaceConfig {
  std::string name;
  Interface::Kind kind = Interface::Kind::memory;
  uint16_t port = 0;  // ethdev
  MacAddress mac{};
  uint16_t mtu = 1500;
  bool is_workload = false;
};

struct EngineOptions {
  unsigned workers = 1;
  unsigned buffers = 32767;  // packet buffers; of 2 KiB
  Limits limits;
  ServiceLimits service_limits;
  Timeouts timeouts;
  PolicyChangeAppliesTo policy_change_applies_to = PolicyChangeAppliesTo::new_flows;
};

class Engine {
 public:
  // The EAL must have been started.
  static base::Result<std::unique_ptr<Engine>> create(const EngineOptions& options);
  ~Engine();

  base::Result<InterfaceIndex> add_interface(const InterfaceConfig& config);
  // Routes through it, and a workload on it, are left without a way.
  base::Result<> remove_interface(const std::string& name);

  // What a node enforces; only policy and workloads count here.
  void apply(const policy::Delta& delta);
  Forwarding& forwarding() { return forwarding_; }
  // An error leaves everything as it was. New flows meet the change at once; those that had a
  // backend which is gone leave it with the next publish.
  base::Result<> set_service(const ServiceConfig& config);
  bool remove_service(const std::string& name);
  const ServiceTable& services() const { return *services_; }
  Classifier& classifier() { return classifier_; }
  void set_node_addresses(const NodeAddresses& addresses);
  void publish();
  // Frees what no worker sees any more: to be called now and then when nothing is published.
  void reclaim();
  // Has memory ready for the sessions to come: to be called every few milliseconds.
  void populate();
  uint32_t epoch() const { return tables_.epoch.load(std::memory_order_relaxed); }
  // New flows that the rule with this number (Classifier::RuleLine::counter) decided.
  uint64_t rule_count(uint32_t number) const;

  // Null: nobody watches. The one before may still be called until the workers have begun their
  // next rounds; it is let go of only then.
  void observe(std::shared_ptr<Observer> observer);

  Worker& worker(unsigned index) { return *workers_[index]; }
  unsigned workers() const { return static_cast<unsigned>(workers_.size()); }
  rte_mempool* buffers() const { return buffers_.get(); }

  // Each worker in a thread of its own, on its core where `cores` names one. `memory`, if any,
  // feeds the interfaces of kind memory, and outlives the threads.
  base::Result<> start(std::span<const unsigned> cores = {}, MemoryDriver* memory = nullptr);
  void stop();

 private:
  struct FreeRing {
    void operator()(rte_ring* ring) const { rte_ring_free(ring); }
  };

  explicit Engine(const EngineOptions& options);
  base::Result<> build(const EngineOptions& options);
  uint64_t counted(uint32_t number) const;
  void run(Worker& worker, int core, MemoryDriver* memory);
  void route_service(const std::string& name, const std::set<base::Prefix>& addresses);
  void update_queues();

  Tables tables_;
  Forwarding forwarding_;
  Classifier classifier_;
  Workloads workloads_;
  PacketBuffers buffers_;
  std::vector<std::unique_ptr<rte_ring, FreeRing>> inboxes_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<ServiceTable> services_;
  std::map<std::string, std::set<base::Prefix>> service_addresses_;  // that are routed, by service
  std::map<uint32_t, uint64_t> counted_before_;  // under a rule's number by earlier users of it
  std::shared_ptr<Observer> observer_;
  std::vector<InterfaceConfig> interfaces_;  // by index; without a name: free
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

// Milliseconds of a clock that never jumps.
uint64_t monotonic_ms();

}  // namespace margay::vector
