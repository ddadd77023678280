#include "vector/engine.h"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "vector/eal.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr unsigned k_inbox = 4096;
constexpr uint32_t k_places_when_busy = 16;    // looked at for expiry after a round with packets
constexpr uint32_t k_places_when_idle = 4096;  // and after one without

// DPDK knows graphs, pools and rings by names that are the process's.
std::string unique_name(const char* kind) {
  static std::atomic<unsigned> last = 0;
  return fmt::format("{}-{}", kind, ++last);
}

Result<> prepare_process() {
  static std::once_flag once;
  static Result<> result;
  std::call_once(once, [] {
    result = reserve_packet_meta();
    if (result) result = register_nodes();
  });
  return result;
}

}  // namespace

uint64_t monotonic_ms() {
  using namespace std::chrono;
  return static_cast<uint64_t>(
      duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

Engine::Engine(const EngineOptions& options)
    : tables_(options.workers, options.limits),
      forwarding_(tables_),
      classifier_(tables_.rcu),
      workloads_(forwarding_, classifier_) {
  tables_.policy = &classifier_.view();
  tables_.timeouts = options.timeouts;
  tables_.policy_change_applies_to = options.policy_change_applies_to;
}

Engine::~Engine() {
  stop();
  for (const auto& worker : workers_) destroy_graph(worker->graph);
  for (const auto& inbox : inboxes_) {
    void* packet = nullptr;
    while (rte_ring_dequeue(inbox.get(), &packet) == 0)
      rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
  }
  services_.reset();
  workers_.clear();
  if (const auto* own = tables_.node_addresses.exchange(0, nullptr)) delete own;
}

Result<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options) {
  if (!eal_is_started()) return fail(ErrorCode::conflict, "DPDK's environment is not started");
  if (options.workers == 0 || options.workers > 64)
    return fail(ErrorCode::invalid, "workers: must be 1 to 64");
  MARGAY_CHECK(prepare_process());
  std::unique_ptr<Engine> engine(new Engine(options));
  MARGAY_CHECK(engine->build(options));
  return engine;
}

Result<> Engine::build(const EngineOptions& options) {
  buffers_ = make_packet_buffers(unique_name("buffers"), options.buffers);
  if (!buffers_)
    return fail(ErrorCode::unavailable, fmt::format("no memory for {} packet buffers: {}",
                                                    options.buffers, rte_strerror(rte_errno)));
  for (unsigned index = 0; index < options.workers; ++index) {
    workers_.push_back(
        std::make_unique<Worker>(index, tables_, options.service_limits, buffers_.get()));
    if (options.workers == 1) continue;
    inboxes_.emplace_back(
        rte_ring_create(unique_name("inbox").c_str(), k_inbox, SOCKET_ID_ANY, RING_F_SC_DEQ));
    if (!inboxes_.back()) return fail(ErrorCode::unavailable, "no memory for a worker's inbox");
    workers_.back()->inbox = inboxes_.back().get();
  }
  std::vector<const ServiceWorker*> service_workers;
  service_workers.reserve(workers_.size());
  for (const auto& worker : workers_) service_workers.push_back(&worker->services);
  services_ = std::make_unique<ServiceTable>(&tables_.rcu, options.service_limits, service_workers);
  tables_.services = services_.get();
  for (const auto& worker : workers_) {
    for (const auto& inbox : inboxes_) worker->outboxes.push_back(inbox.get());
    MARGAY_TRY(worker->graph, create_graph(unique_name("worker"), *worker));
  }
  return {};
}

Result<InterfaceIndex> Engine::add_interface(const InterfaceConfig& config) {
  if (config.name.empty()) return fail(ErrorCode::invalid, "name: an interface needs one");
  if (std::ranges::find(interfaces_, config.name, &InterfaceConfig::name) != interfaces_.end())
    return fail(ErrorCode::already_exists,
                fmt::format("interface {} is there already", config.name));
  auto place = std::ranges::find(interfaces_, "", &InterfaceConfig::name);
  if (place == interfaces_.end()) {
    if (interfaces_.size() == k_most_interfaces)
      return fail(ErrorCode::too_large, fmt::format("more than {} interfaces", k_most_interfaces));
    place = interfaces_.insert(place, InterfaceConfig{});
  }
  *place = config;
  const auto index = static_cast<InterfaceIndex>(place - interfaces_.begin());
  forwarding_.set_interface(index, {.kind = config.kind,
                                    .is_workload = config.is_workload,
                                    .mac = config.mac,
                                    .mtu = config.mtu,
                                    .port = config.port});
  if (config.is_workload) workloads_.add_interface(config.name, index);
  update_queues();
  return index;
}

Result<> Engine::remove_interface(const std::string& name) {
  const auto found = std::ranges::find(interfaces_, name, &InterfaceConfig::name);
  if (name.empty() || found == interfaces_.end())
    return fail(ErrorCode::not_found, fmt::format("there is no interface {}", name));
  workloads_.remove_interface(name);
  workloads_.withdraw();
  *found = {};
  forwarding_.remove_interface(static_cast<InterfaceIndex>(found - interfaces_.begin()));
  update_queues();
  return {};
}

// Each worker polls a queue of every port.
void Engine::update_queues() {
  for (const auto& worker : workers_) {
    auto* queues = new std::vector<PolledQueue>;
    for (size_t i = 0; i < interfaces_.size(); ++i)
      if (!interfaces_[i].name.empty() && interfaces_[i].kind == Interface::Kind::ethdev)
        queues->push_back({static_cast<InterfaceIndex>(i), interfaces_[i].port,
                           static_cast<uint16_t>(worker->index)});
    const auto* old = worker->queues.exchange(queues, std::memory_order_acq_rel);
    tables_.rcu.defer([old] { delete old; });
  }
}

void Engine::apply(const policy::Delta& delta) {
  classifier_.apply(delta);
  if (const auto* update = std::get_if<policy::WorkloadUpdate>(&delta))
    workloads_.set(update->workload.endpoint);
  if (const auto* removal = std::get_if<policy::WorkloadRemove>(&delta))
    workloads_.remove(removal->key);
}

Result<> Engine::set_service(const ServiceConfig& config) {
  MARGAY_CHECK(services_->set_service(config));
  std::set<base::Prefix> addresses;
  for (const auto& frontend : config.frontends)
    if (!frontend.shared_address) addresses.emplace(frontend.address);
  route_service(config.name, addresses);
  return {};
}

bool Engine::remove_service(const std::string& name) {
  if (!services_->remove_service(name)) return false;
  route_service(name, {});
  return true;
}

// Packets from an uplink to an address of a service must find their way to its sessions.
void Engine::route_service(const std::string& name, const std::set<base::Prefix>& addresses) {
  const std::set<base::Prefix> before = std::exchange(service_addresses_[name], addresses);
  const auto is_used = [&](const base::Prefix& address) {
    return std::ranges::any_of(service_addresses_,
                               [&](const auto& each) { return each.second.contains(address); });
  };
  for (const auto& address : addresses) forwarding_.claim(address);
  for (const auto& address : before)
    if (!is_used(address)) forwarding_.release(address);
  if (addresses.empty()) service_addresses_.erase(name);
}

void Engine::set_node_addresses(const NodeAddresses& addresses) {
  const auto* old = tables_.node_addresses.exchange(0, new NodeAddresses(addresses));
  if (old) tables_.rcu.defer([old] { delete old; });
}

void Engine::publish() {
  workloads_.withdraw();
  classifier_.commit();
  workloads_.publish();
  // 0 is what sessions have that must be looked at in any case.
  const uint32_t next = tables_.epoch.load(std::memory_order_relaxed) + 1;
  tables_.epoch.store(next == 0 ? 1 : next, std::memory_order_release);
  for (const uint32_t number : classifier_.counters().take_assigned())
    counted_before_[number] = counted(number);
  forwarding_.recycle();
  reclaim();
}

void Engine::reclaim() {
  tables_.rcu.reclaim();
  classifier_.reclaim();
}

void Engine::populate() {
  for (const auto& worker : workers_) {
    worker->sessions4.populate();
    worker->sessions6.populate();
  }
}

uint64_t Engine::counted(uint32_t number) const {
  uint64_t count = 0;
  if (number >= k_most_rule_counts) return 0;
  for (const auto& worker : workers_)
    count += worker->rule_counts[number].load(std::memory_order_relaxed);
  return count;
}

uint64_t Engine::rule_count(uint32_t number) const {
  const auto before = counted_before_.find(number);
  return counted(number) - (before == counted_before_.end() ? 0 : before->second);
}

void Engine::observe(std::shared_ptr<Observer> observer) {
  for (const auto& worker : workers_)
    worker->observer.store(observer.get(), std::memory_order_release);
  if (observer_) tables_.rcu.defer([old = std::move(observer_)] {});
  observer_ = std::move(observer);
}

Result<> Engine::start(std::span<const unsigned> cores, MemoryDriver* memory) {
  stopping_ = false;
  for (unsigned index = 0; index < workers(); ++index) {
    const int core = index < cores.size() ? static_cast<int>(cores[index]) : -1;
    threads_.emplace_back([=, this] { run(*workers_[index], core, memory); });
  }
  return {};
}

void Engine::stop() {
  stopping_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Engine::run(Worker& worker, int core, MemoryDriver* memory) {
  if (core >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(core, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
  }
  rte_thread_register();  // gives it a cache of packet buffers; without one it works too
  tables_.rcu.online(worker.index);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const MemoryBatch batch = memory ? memory->take(worker.index) : MemoryBatch{};
    const unsigned received = worker.poll(monotonic_ms(), batch);
    if (memory && !worker.to_memory.empty()) {
      memory->give(worker.index, worker.to_memory);
      worker.to_memory.clear();
    }
    worker.expire(received > 0 ? k_places_when_busy : k_places_when_idle);
    worker.jobs.run(worker);
    tables_.rcu.quiescent(worker.index);
  }
  tables_.rcu.offline(worker.index);
  rte_thread_unregister();
}

}  // namespace margay::vector
