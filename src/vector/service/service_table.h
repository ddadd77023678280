#pragma once

// Services: which backend a new flow goes to. Asked for the first packet of a flow; the answer is
// kept in the flow's session, which never asks again. Meaning: Kubernetes' Service API (ready
// backends; serving and terminating ones when none is ready; client affinity; traffic policies;
// source ranges). An address of a service is ours on every port: a packet to a port that no
// service has there is refused, not forwarded.
//
// Among the backends allowed, the choice is by Maglev table and a hash of the flow that is the same
// on every node (maglev.h, flow_hash.h).
//
// Threads: one control thread calls what changes and lists; workers choose, each with a
// ServiceWorker of its own, between quiescent states of the Rcu. A change to one frontend appears
// at once as a whole. Changes never wait for workers, unless so many are on their way that the
// numbers run out.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vector/drop_reason.h"
#include "vector/rcu.h"
#include "vector/service/frontend_table.h"
#include "vector/service/maglev.h"
#include "vector/service/recycled_numbers.h"
#include "vector/service/service_config.h"
#include "vector/service/service_worker.h"
#include "vector/service/source_ranges.h"

namespace margay::vector {

// As workers read it. `id` is Choice::backend.
struct BackendRecord {
  AddressBytes address;
  uint16_t port;
  uint16_t unused;
  uint32_t id;

  bool operator==(const BackendRecord&) const = default;
};

struct Choice {
  enum class Result : uint8_t {
    not_a_service,  // neither is the address one's: go on without translation
    chosen,
    no_port,      // the service's address, but none of its ports
    not_allowed,  // the client is outside the source ranges
    no_backend,   // nobody serves it now
  };
  Result result = Result::not_a_service;
  bool masquerade = false;
  uint16_t port = 0;       // the backend's; address and port only when chosen
  AddressBytes address{};  // of the flow's family
  uint32_t service = 0;  // also when not_allowed or no_backend; index into ServiceWorker::services
  uint32_t backend = 0;  // for is_alive; 0: not chosen
};

// `none` when there is nothing to drop.
DropReason drop_reason(Choice::Result result);

struct BackendStatus {
  Backend backend;
  uint32_t number = 0;  // Choice::backend
  ServiceCounts counts;
};

struct ServiceStatus {
  std::string name;
  uint32_t index = 0;
  std::vector<std::pair<Frontend, bool>> frontends;  // and whether it has it: an older one may
  std::vector<BackendStatus> backends;               // sorted, without duplicates
  ServiceCounts counts;
};

class ServiceTable {
 public:
  // The workers and the Rcu outlive the table; all workers were made with the same limits.
  ServiceTable(Rcu* rcu, const ServiceLimits& limits, std::vector<const ServiceWorker*> workers);
  ~ServiceTable();

  // Control thread. Adds a service, or replaces that of the same name; existing clients' affinity
  // survives that. An error leaves everything as it was.
  base::Result<> set_service(ServiceConfig config);
  // False when there is none of that name.
  bool remove_service(std::string_view name);
  std::vector<ServiceStatus> list() const;
  size_t size() const { return services_.size(); }
  const MaglevTables& maglev_tables() const { return tables_; }

  // Workers.
  Choice choose(const FlowTuple& flow, uint64_t now_ms, ServiceWorker* worker) const;
  // The same for many, whose waits for memory overlap. `choices` is as long as `flows`.
  void choose(std::span<const FlowTuple> flows, uint64_t now_ms, ServiceWorker* worker,
              std::span<Choice> choices) const;
  // Whether the service still has this backend, ready, draining or neither: a session to it goes
  // on.
  bool is_alive(uint32_t backend) const {
    return generations_[backend_index(backend)].load(std::memory_order_acquire) ==
           backend >> k_backend_index_bits;
  }

 private:
  struct Pool;
  struct Service;
  using ServicePtr = std::shared_ptr<Service>;
  using Claimants = std::set<std::pair<uint64_t, std::string>>;  // age, name: the first has it
  struct AddressUse {
    size_t exclusive = 0, shared = 0;
  };

  base::Result<> check_limits(const ServiceConfig& config, const Service* old) const;
  void replace(const ServicePtr& old, const ServicePtr& next);
  void assign_numbers(const Service* old, Service* next);
  void retire_numbers(const ServicePtr& old, const Service* next);
  std::shared_ptr<const Pool> make_pool(const Service& service, base::IPFamily family,
                                        bool local_only);
  void publish(const FrontendKey& key);
  void publish_address(const FrontendKey& key);
  FrontendRecord record_for(const Service& service, const FrontendKey& key) const;
  ServiceCounts service_counts(uint32_t index) const;
  ServiceCounts backend_counts(uint32_t index) const;

  void choose_staged(std::span<const FlowTuple> flows, uint64_t now_ms, ServiceWorker* worker,
                     Choice* choices) const;
  Choice choose_without_frontend(const FrontendTable::Slots& slots, const FlowTuple& flow) const;

  Rcu* rcu_;
  ServiceLimits limits_;
  std::vector<const ServiceWorker*> workers_;
  MaglevTables tables_;
  FrontendTable frontends_;
  RecycledNumbers service_numbers_, backend_numbers_;
  MappedArray<std::atomic<uint16_t>> generations_;  // by backend index: the count in use
  std::vector<ServiceCounts> service_base_, backend_base_;

  std::map<std::string, ServicePtr, std::less<>> services_;
  std::map<FrontendKey, Claimants> claims_;
  std::map<FrontendKey, AddressUse> addresses_;    // by FrontendKey::of_address
  size_t backend_count_ = 0, frontend_count_ = 0;  // of all services, claimed in vain included
  uint32_t last_serial_ = 0;
};

}  // namespace margay::vector
