// The workers' side of ServiceTable.

#include <algorithm>
#include <cassert>

#include "vector/service/service_table.h"

namespace margay::vector {
namespace {

// Flows whose memory is waited for together: more would push each other out of the nearest cache.
constexpr size_t k_in_flight = 64;

struct Hashes {
  uint64_t address, frontend;

  explicit Hashes(const FlowTuple& flow)
      : address(hash_service_address(flow.service)),
        frontend(hash_frontend(address, flow.service_port, flow.protocol, flow.family)) {}
};

FrontendKey key_of(const FlowTuple& flow) {
  return {flow.service, flow.service_port, flow.protocol, flow.family};
}

MaglevView table_of(const FrontendRecord& record) { return {record.words, record.log2_bits}; }

bool has_affinity(const FrontendRecord& record) {
  return (record.flags & k_frontend_affinity) != 0;
}

AffinityKey affinity_key(const FrontendRecord& record, const FlowTuple& flow) {
  return {flow.client, flow.family, record.affinity_serial};
}

Choice::Result admit(const FrontendRecord& record, const FlowTuple& flow) {
  if (record.source_ranges && !record.source_ranges->contains(flow.client, flow.family))
    return Choice::Result::not_allowed;
  return record.backend_count == 0 ? Choice::Result::no_backend : Choice::Result::chosen;
}

uint64_t choosing_hash(const FrontendRecord& record, const FlowTuple& flow, uint64_t address_hash) {
  return has_affinity(record) ? hash_client(flow.client, flow.family)
                              : hash_flow(flow, address_hash);
}

bool is_same(const BackendRecord& record, const AffinityBackend& backend) {
  return record.port == backend.port && record.address == backend.address;
}

// Where the client's backend is among those allowed now; null when it is not.
const BackendRecord* find_bound(const FrontendRecord& record, AffinityBackend* backend) {
  const std::span all(record.backends, record.backend_count);
  if (backend->place < all.size() && is_same(all[backend->place], *backend))
    return &all[backend->place];
  const auto found = std::ranges::lower_bound(
      all, std::pair(backend->address, backend->port), {},
      [](const BackendRecord& each) { return std::pair(each.address, each.port); });
  if (found == all.end() || !is_same(*found, *backend)) return nullptr;
  return &*found;
}

const BackendRecord& apply_affinity(const FrontendRecord& record, const FlowTuple& flow,
                                    uint64_t hash, const BackendRecord& by_hash, uint64_t now_ms,
                                    AffinityTable* table) {
  const auto key = affinity_key(record, flow);
  const BackendRecord* backend = nullptr;
  if (auto* const known = table->find(key, hash, now_ms)) backend = find_bound(record, known);
  if (!backend) backend = &by_hash;
  const auto place = static_cast<uint32_t>(backend - record.backends);
  table->remember(key, hash, {backend->address, backend->port, place}, now_ms,
                  now_ms + uint64_t{record.affinity_seconds} * 1000);
  return *backend;
}

Choice refuse(const FrontendRecord& record, Choice::Result result, ServiceWorker* worker) {
  ServiceCounter::add(&worker->services[record.service].refused, 1);
  return {.result = result, .service = record.service};
}

Choice accept(const FrontendRecord& record, const BackendRecord& backend, ServiceWorker* worker) {
  ServiceCounter::add(&worker->services[record.service].flows, 1);
  ServiceCounter::add(&worker->backends[backend_index(backend.id)].flows, 1);
  return {.result = Choice::Result::chosen,
          .masquerade = (record.flags & k_frontend_masquerade) != 0,
          .port = backend.port,
          .address = backend.address,
          .service = record.service,
          .backend = backend.id};
}

}  // namespace

Choice ServiceTable::choose_without_frontend(const FrontendTable::Slots& slots,
                                             const FlowTuple& flow) const {
  const auto address = FrontendKey::of_address(flow.service, flow.family);
  const bool is_ours = frontends_.find(slots, address, address.hash()) != nullptr;
  return {.result = is_ours ? Choice::Result::no_port : Choice::Result::not_a_service};
}

Choice ServiceTable::choose(const FlowTuple& flow, uint64_t now_ms, ServiceWorker* worker) const {
  Choice choice;
  choose(std::span(&flow, 1), now_ms, worker, std::span(&choice, 1));
  return choice;
}

void ServiceTable::choose(std::span<const FlowTuple> flows, uint64_t now_ms, ServiceWorker* worker,
                          std::span<Choice> choices) const {
  assert(choices.size() == flows.size());
  for (size_t at = 0; at < flows.size(); at += k_in_flight) {
    const size_t count = std::min(k_in_flight, flows.size() - at);
    choose_staged(flows.subspan(at, count), now_ms, worker, &choices[at]);
  }
}

// Each stage touches what an earlier one has prefetched: slot, record, table entry, backend,
// counters.
void ServiceTable::choose_staged(std::span<const FlowTuple> flows, uint64_t now_ms,
                                 ServiceWorker* worker, Choice* choices) const {
  struct Staged {
    uint64_t address_hash, frontend_hash, choosing_hash, affinity_hash;
    const FrontendRecord* record;
    const BackendRecord* backend;
  };
  std::array<Staged, k_in_flight> staged;
  const auto& slots = frontends_.slots();
  const size_t count = flows.size();

  for (size_t i = 0; i < count; ++i) {
    const Hashes hashes(flows[i]);
    staged[i].address_hash = hashes.address;
    staged[i].frontend_hash = hashes.frontend;
    slots.prefetch(hashes.frontend);
  }
  for (size_t i = 0; i < count; ++i) frontends_.prefetch(slots, staged[i].frontend_hash);
  for (size_t i = 0; i < count; ++i) {
    auto& each = staged[i];
    each.record = frontends_.find(slots, key_of(flows[i]), each.frontend_hash);
    choices[i].result = each.record ? admit(*each.record, flows[i]) : Choice::Result::no_port;
    if (choices[i].result != Choice::Result::chosen) continue;
    each.choosing_hash = choosing_hash(*each.record, flows[i], each.address_hash);
    __builtin_prefetch(table_of(*each.record).word(maglev_slot(each.choosing_hash)));
    __builtin_prefetch(&worker->services[each.record->service], 1);
    if (has_affinity(*each.record)) {
      each.affinity_hash = worker->affinity.hash(affinity_key(*each.record, flows[i]));
      worker->affinity.prefetch(each.affinity_hash);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    auto& each = staged[i];
    if (choices[i].result != Choice::Result::chosen) continue;
    each.backend = &each.record->backends[table_of(*each.record).pick(each.choosing_hash)];
    __builtin_prefetch(each.backend);
    if (has_affinity(*each.record)) worker->affinity.prefetch_entry(each.affinity_hash);
  }
  for (size_t i = 0; i < count; ++i)
    if (choices[i].result == Choice::Result::chosen)
      __builtin_prefetch(&worker->backends[backend_index(staged[i].backend->id)], 1);
  for (size_t i = 0; i < count; ++i) {
    const auto* const record = staged[i].record;
    const auto* backend = staged[i].backend;
    if (!record) {
      choices[i] = choose_without_frontend(slots, flows[i]);
    } else if (choices[i].result != Choice::Result::chosen) {
      choices[i] = refuse(*record, choices[i].result, worker);
    } else {
      if (has_affinity(*record))
        backend = &apply_affinity(*record, flows[i], staged[i].affinity_hash, *backend, now_ms,
                                  &worker->affinity);
      choices[i] = accept(*record, *backend, worker);
    }
  }
}

}  // namespace margay::vector
