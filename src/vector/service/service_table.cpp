#include "vector/service/service_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::vector {
namespace {

using base::IPFamily;

FrontendKey key_of(const Frontend& frontend) {
  return {address_bytes(frontend.address), frontend.port, frontend.protocol,
          static_cast<uint8_t>(frontend.address.family())};
}

FrontendKey address_key(const Frontend& frontend) {
  return FrontendKey::of_address(address_bytes(frontend.address),
                                 static_cast<uint8_t>(frontend.address.family()));
}

// One of each identity; what is said of any of them holds.
void sort_and_merge(std::vector<Backend>* backends) {
  std::ranges::stable_sort(*backends, {}, &Backend::identity);
  std::vector<Backend> merged;
  for (const auto& each : *backends) {
    if (merged.empty() || merged.back().identity != each.identity) {
      merged.push_back(each);
      continue;
    }
    merged.back().ready |= each.ready;
    merged.back().draining |= each.draining;
    merged.back().local |= each.local;
  }
  *backends = std::move(merged);
}

size_t pool_index(IPFamily family, bool local_only) {
  return (family == IPFamily::v6 ? 2U : 0U) + (local_only ? 1U : 0U);
}

}  // namespace

// The backends that a frontend of one family and traffic policy chooses from; never empty.
struct ServiceTable::Pool {
  std::vector<BackendRecord> backends;
  MaglevTables::Table table;
};

struct ServiceTable::Service {
  ServiceConfig config;
  uint32_t index = 0;
  uint32_t serial = 0;                               // of its affinity
  std::vector<uint32_t> numbers;                     // of config.backends
  std::array<std::shared_ptr<const Pool>, 4> pools;  // by pool_index; null where nobody serves
  std::shared_ptr<const SourceRanges> source_ranges;

  uint32_t number_of(const BackendIdentity& identity) const {
    const auto found = std::ranges::lower_bound(config.backends, identity, {}, &Backend::identity);
    if (found == config.backends.end() || found->identity != identity) return 0;
    return numbers[static_cast<size_t>(found - config.backends.begin())];
  }
};

DropReason drop_reason(Choice::Result result) {
  switch (result) {
    case Choice::Result::not_a_service:
    case Choice::Result::chosen:
      return DropReason::none;
    case Choice::Result::no_port:
      return DropReason::service_no_port;
    case Choice::Result::not_allowed:
      return DropReason::service_source_not_allowed;
    case Choice::Result::no_backend:
      return DropReason::service_no_backend;
  }
  return DropReason::service_no_port;
}

ServiceTable::ServiceTable(Rcu* rcu, const ServiceLimits& limits,
                           std::vector<const ServiceWorker*> workers)
    : rcu_(rcu),
      limits_(limits),
      workers_(std::move(workers)),
      frontends_(rcu, 2 * limits.frontends),  // each may need a record, and one for its address
      service_numbers_(rcu, limits.services),
      backend_numbers_(rcu, limits.backends),
      generations_(backend_numbers_.end()) {
  generations_[0] = UINT16_MAX;  // no backend has number 0
}

ServiceTable::~ServiceTable() = default;

base::Result<> ServiceTable::set_service(ServiceConfig config) {
  MARGAY_CHECK(validate(config));
  rcu_->reclaim();
  sort_and_merge(&config.backends);
  const auto known = services_.find(config.name);
  const ServicePtr old = known == services_.end() ? nullptr : known->second;
  if (old && old->config == config) return {};
  MARGAY_CHECK(check_limits(config, old.get()));

  const auto next = std::make_shared<Service>();
  next->config = std::move(config);
  assign_numbers(old.get(), next.get());
  next->source_ranges = std::make_shared<SourceRanges>(next->config.source_ranges);
  if (old) next->pools = old->pools;
  for (const auto family : {IPFamily::v4, IPFamily::v6})
    for (const bool local_only : {false, true})
      next->pools[pool_index(family, local_only)] = make_pool(*next, family, local_only);
  replace(old, next);
  return {};
}

bool ServiceTable::remove_service(std::string_view name) {
  rcu_->reclaim();
  const auto known = services_.find(name);
  if (known == services_.end()) return false;
  replace(ServicePtr(known->second), nullptr);
  return true;
}

base::Result<> ServiceTable::check_limits(const ServiceConfig& config, const Service* old) const {
  const auto check = [&](std::string_view what, size_t wanted, uint32_t limit) -> base::Result<> {
    if (wanted <= limit) return {};
    return base::fail(base::ErrorCode::too_large,
                      fmt::format("service \"{}\": there is room for {} {}, and it would make {}",
                                  config.name, limit, what, wanted));
  };
  MARGAY_CHECK(check("services", services_.size() + (old ? 0 : 1), limits_.services));
  const auto change = [&](auto member) {
    return (config.*member).size() - (old ? (old->config.*member).size() : 0);
  };
  MARGAY_CHECK(
      check("backends", backend_count_ + change(&ServiceConfig::backends), limits_.backends));
  return check("frontends", frontend_count_ + change(&ServiceConfig::frontends), limits_.frontends);
}

void ServiceTable::assign_numbers(const Service* old, Service* next) {
  if (old) {
    next->index = old->index;
  } else {
    next->index = service_numbers_.take();
    if (service_base_.size() <= next->index) service_base_.resize(next->index + 1);
    service_base_[next->index] = {};
    service_base_[next->index] = service_counts(next->index);
  }
  // Affinity that was switched off is forgotten.
  const bool keeps_affinity = old && old->config.affinity_seconds != 0;
  next->serial = keeps_affinity ? old->serial : ++last_serial_;

  for (const auto& each : next->config.backends) {
    uint32_t number = old ? old->number_of(each.identity) : 0;
    if (number == 0) {
      const uint32_t index = backend_numbers_.take();
      if (backend_base_.size() <= index) backend_base_.resize(index + 1);
      backend_base_[index] = {};
      backend_base_[index] = backend_counts(index);
      number = index | uint32_t{generations_[index].load(std::memory_order_relaxed)}
                           << k_backend_index_bits;
    }
    next->numbers.push_back(number);
  }
}

std::shared_ptr<const ServiceTable::Pool> ServiceTable::make_pool(const Service& service,
                                                                  IPFamily family,
                                                                  bool local_only) {
  const auto frontend_needs_it = [&](const Frontend& each) {
    return each.address.family() == family && each.local_only == local_only;
  };
  if (std::ranges::none_of(service.config.frontends, frontend_needs_it)) return nullptr;

  const auto eligible = [&](const Backend& each) {
    return each.identity.address.family() == family && (each.local || !local_only);
  };
  const bool any_ready = std::ranges::any_of(
      service.config.backends, [&](const auto& each) { return each.ready && eligible(each); });
  auto pool = std::make_shared<Pool>();
  std::vector<BackendIdentity> identities;
  for (size_t i = 0; i < service.config.backends.size(); ++i) {
    const auto& each = service.config.backends[i];
    if (!eligible(each) || !(any_ready ? each.ready : each.draining)) continue;
    identities.push_back(each.identity);
    pool->backends.push_back(
        {address_bytes(each.identity.address), each.identity.port, 0, service.numbers[i]});
  }
  if (identities.empty()) return nullptr;
  const auto& current = service.pools[pool_index(family, local_only)];
  if (current && current->backends == pool->backends) return current;
  pool->table = tables_.get(identities);
  return pool;
}

// Everything new is in place before anything old goes, address by address and frontend by frontend.
void ServiceTable::replace(const ServicePtr& old, const ServicePtr& next) {
  std::set<FrontendKey> touched, addresses;
  const auto use_of = [&](const Frontend& each) -> size_t& {
    const auto key = address_key(each);
    addresses.insert(key);
    auto& use = addresses_[key];
    return each.shared_address ? use.shared : use.exclusive;
  };
  const auto& name = (next ? next : old)->config.name;
  if (old) {
    for (const auto& each : old->config.frontends) {
      touched.insert(key_of(each));
      claims_[key_of(each)].erase({old->config.age, name});
    }
    backend_count_ -= old->config.backends.size();
    frontend_count_ -= old->config.frontends.size();
  }
  if (next) {
    for (const auto& each : next->config.frontends) {
      touched.insert(key_of(each));
      claims_[key_of(each)].insert({next->config.age, name});
      ++use_of(each);
    }
    backend_count_ += next->config.backends.size();
    frontend_count_ += next->config.frontends.size();
    services_.insert_or_assign(name, next);
  }
  for (const auto& each : addresses) publish_address(each);
  for (const auto& each : touched) publish(each);
  if (old) {
    for (const auto& each : old->config.frontends) --use_of(each);
    for (const auto& each : addresses) publish_address(each);
    retire_numbers(old, next.get());
  }
  if (!next) services_.erase(services_.find(name));
}

void ServiceTable::retire_numbers(const ServicePtr& old, const Service* next) {
  for (size_t i = 0; i < old->numbers.size(); ++i) {
    if (next && next->number_of(old->config.backends[i].identity) != 0) continue;
    const uint32_t index = backend_index(old->numbers[i]);
    constexpr uint32_t k_generations = 1U << (32 - k_backend_index_bits);
    const uint32_t generation = generations_[index].load(std::memory_order_relaxed) + 1U;
    generations_[index].store(static_cast<uint16_t>(generation % k_generations),
                              std::memory_order_release);
    backend_numbers_.retire(index);
  }
  if (!next) service_numbers_.retire(old->index);
  rcu_->defer([old] {});  // its pools and ranges are read until then
}

void ServiceTable::publish(const FrontendKey& key) {
  const auto claim = claims_.find(key);
  if (claim->second.empty()) {
    claims_.erase(claim);
    frontends_.erase(key);
    return;
  }
  const auto& owner = claim->second.begin()->second;
  frontends_.set(record_for(*services_.find(owner)->second, key));
}

void ServiceTable::publish_address(const FrontendKey& key) {
  const auto use = addresses_.find(key);
  const auto [exclusive, shared] = use->second;
  if (exclusive != 0 && shared == 0) {
    frontends_.set({.key = key});
  } else {
    frontends_.erase(key);
  }
  if (exclusive == 0 && shared == 0) addresses_.erase(use);
}

FrontendRecord ServiceTable::record_for(const Service& service, const FrontendKey& key) const {
  const auto& frontend = *std::ranges::find(service.config.frontends, key, key_of);
  FrontendRecord record{.key = key, .service = service.index};
  if (frontend.masquerade) record.flags |= k_frontend_masquerade;
  if (frontend.restricted) record.source_ranges = service.source_ranges.get();
  if (service.config.affinity_seconds != 0) {
    record.flags |= k_frontend_affinity;
    record.affinity_serial = service.serial;
    record.affinity_seconds = service.config.affinity_seconds;
  }
  const auto& pool = service.pools[pool_index(frontend.address.family(), frontend.local_only)];
  if (!pool) return record;
  record.backend_count = static_cast<uint16_t>(pool->backends.size());
  record.backends = pool->backends.data();
  record.words = pool->table->words;
  record.log2_bits = pool->table->log2_bits;
  return record;
}

ServiceCounts ServiceTable::service_counts(uint32_t index) const {
  ServiceCounts sum;
  for (const auto* each : workers_) sum += each->services[index].read();
  return sum -= service_base_[index];
}

ServiceCounts ServiceTable::backend_counts(uint32_t index) const {
  ServiceCounts sum;
  for (const auto* each : workers_) sum += each->backends[index].read();
  return sum -= backend_base_[index];
}

std::vector<ServiceStatus> ServiceTable::list() const {
  std::vector<ServiceStatus> all;
  for (const auto& [name, service] : services_) {
    ServiceStatus status{.name = name, .index = service->index};
    status.counts = service_counts(service->index);
    for (const auto& each : service->config.frontends)
      status.frontends.emplace_back(each, claims_.at(key_of(each)).begin()->second == name);
    for (size_t i = 0; i < service->numbers.size(); ++i)
      status.backends.push_back({service->config.backends[i], service->numbers[i],
                                 backend_counts(backend_index(service->numbers[i]))});
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace margay::vector
