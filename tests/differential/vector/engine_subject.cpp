#include "differential/vector/engine_subject.h"

#include <fmt/format.h>

#include <cstring>

#include "differential/frame.h"
#include "vector/eal.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::Delta;

// More than any session lives without a packet.
constexpr uint64_t k_long_ms = 24 * 60 * 60 * 1000 + 1000;

}  // namespace

// It has no host of its own yet: no settings to obey.
Result<> EngineSubject::start(const policy::Model& model, const policy::HostTrafficSettings&) {
  if (!vector::eal_is_started()) MARGAY_CHECK(vector::start_eal({.memory_mib = 128}));
  engine_.reset();
  MARGAY_TRY(engine_, vector::Engine::create(
                          {.buffers = 2047, .limits = {.sessions4 = 4096, .sessions6 = 4096}}));
  MARGAY_CHECK(add_interfaces());
  deltas_ = std::make_unique<DeltaSource>(k_node);
  MARGAY_TRY(const auto deltas, deltas_->start(model));
  apply(deltas);
  return {};
}

Result<> EngineSubject::add_interfaces() {
  interfaces_.clear();
  names_.clear();
  const auto add = [&](const std::string& name, bool is_workload) -> Result<> {
    MARGAY_TRY(
        interfaces_[name],
        engine_->add_interface({.name = name, .mac = k_near_mac, .is_workload = is_workload}));
    names_.resize(std::max<size_t>(names_.size(), interfaces_[name] + 1));
    names_[interfaces_[name]] = name;
    return {};
  };
  for (size_t i = 0; i < k_many_workloads; ++i) MARGAY_CHECK(add(workload_interface(i), true));
  MARGAY_CHECK(add(k_uplink, false));
  for (const auto family : {base::IPFamily::v4, base::IPFamily::v6})
    engine_->forwarding().set_route(base::Prefix::all(family),
                                    {.interface = interfaces_.at(k_uplink), .mac = k_uplink_mac});
  return {};
}

Result<> EngineSubject::change(const std::vector<policy::ModelChange>& changes) {
  MARGAY_TRY(const auto deltas, deltas_->change(changes));
  apply(deltas);
  return {};
}

void EngineSubject::apply(const std::vector<Delta>& deltas) {
  for (const auto& delta : deltas) engine_->apply(delta);
  engine_->publish();
}

Result<std::string> EngineSubject::start_over(const policy::Model& model) {
  MARGAY_CHECK(start(model, {}));
  return "";
}

Result<Arrivals> EngineSubject::exchange(std::span<const Injection> batch, Flows flows) {
  if (flows == Flows::forgotten) forget_flows();
  std::map<std::string_view, std::vector<rte_mbuf*>> by_interface;
  for (size_t i = 0; i < batch.size(); ++i) {
    const std::string& name = batch[i].interface_name;
    const auto& from = name == k_uplink ? k_uplink_mac : workload_mac(name);
    MARGAY_TRY(auto* packet,
               make_packet(batch[i].packet, from, first_id_ + static_cast<uint32_t>(i)));
    by_interface[name].push_back(packet);
  }
  Arrivals arrivals(batch.size());
  for (const auto& [name, packets] : by_interface)
    for (std::span<rte_mbuf* const> rest = packets; !rest.empty();) {
      const size_t size = std::min<size_t>(rest.size(), vector::k_most_batch);
      engine_->worker(0).poll(now_ms_, {interfaces_.at(std::string(name)), rest.first(size)});
      collect(arrivals);
      rest = rest.subspan(size);
    }
  first_id_ += static_cast<uint32_t>(batch.size());
  if (const unsigned missing = rte_mempool_in_use_count(engine_->buffers()))
    return base::fail(base::ErrorCode::conflict,
                      fmt::format("{} packet buffers are missing", missing));
  return arrivals;
}

Result<rte_mbuf*> EngineSubject::make_packet(const policy::Packet& packet,
                                             const net::MacAddress& from, uint32_t id) {
  const auto frame = make_frame(packet, from, k_near_mac, {id});
  rte_mbuf* buffer = rte_pktmbuf_alloc(engine_->buffers());
  char* room = buffer ? rte_pktmbuf_append(buffer, static_cast<uint16_t>(frame.size())) : nullptr;
  if (!room) return base::fail(base::ErrorCode::conflict, "no packet buffer is left");
  std::memcpy(room, frame.data(), frame.size());
  return buffer;
}

void EngineSubject::collect(Arrivals& arrivals) {
  auto& out = engine_->worker(0).to_memory;
  for (const auto& [interface, packet] : out) {
    const auto id = frame_id({vector::bytes(packet), packet->data_len});
    if (id && *id - first_id_ < arrivals.size())
      arrivals[*id - first_id_].push_back(names_.at(interface));
    rte_pktmbuf_free(packet);
  }
  out.clear();
}

void EngineSubject::forget_flows() {
  now_ms_ += k_long_ms;
  auto& worker = engine_->worker(0);
  worker.poll(now_ms_);
  worker.expire(std::max(worker.sessions4.places(), worker.sessions6.places()));
}

}  // namespace margay::differential
