// Flows through sessions: established ones, translated to a service's backend and let through by
// policy; and new ones, judged by few and by many rules.

#include "vector/bench/flows.h"

#include <fmt/format.h>

#include <algorithm>

#include "vector/bench/cluster.h"
#include "vector/bench/frame.h"
#include "vector/parse/ip_protocol.h"
#include "vector/session/tcp_state.h"

namespace margay::vector::bench {
namespace {

using base::Result;

template <typename Tuple>
Result<Measurement> established(const std::string& name, uint64_t flows) {
  constexpr bool v4 = sizeof(Tuple::source) == 4;
  MARGAY_TRY(const auto cluster,
             Cluster::make({.rules = 10,
                            .set_members = 1000,
                            .services = std::min<uint64_t>(flows, 1000),
                            .sessions = static_cast<uint32_t>(std::max<uint64_t>(flows, 1024))}));
  const auto tuple_of_flow = [&](uint64_t flow) {
    if constexpr (v4)
      return cluster->to_service4(flow);
    else
      return cluster->to_service6(flow);
  };
  Traffic traffic{.in = cluster->pod_interface(),
                  .flows = flows,
                  .make =
                      [&](rte_mbuf* packet, uint64_t flow) {
                        make_frame(packet, tuple_of_flow(flow), protocol::k_tcp, k_tcp_syn, flow);
                      },
                  .is_right =
                      [&](rte_mbuf* packet, InterfaceIndex out, uint64_t flow) {
                        return cluster->left_for_backend(packet, out, tuple_of_flow(flow));
                      }};
  MARGAY_CHECK(send_each_once(cluster->engine(), traffic));
  traffic.make = [&](rte_mbuf* packet, uint64_t flow) {
    make_frame(packet, tuple_of_flow(flow), protocol::k_tcp, k_tcp_ack, flow);
  };
  MARGAY_TRY(const double cycles, cycles_per_packet(cluster->engine(), traffic, 15, 512));
  auto result =
      measured(name, v4 ? k_frame_bytes_on_wire : k_frame6_bytes_on_wire, flows, 10, cycles);
  const auto& worker = cluster->engine().worker(0);
  const uint64_t memory = v4 ? worker.sessions4.memory() : worker.sessions6.memory();
  result.note =
      fmt::format("{:.1f} bytes a flow", static_cast<double>(memory) / static_cast<double>(flows));
  return result;
}

Result<Measurement> new_flow(const std::string& name, uint64_t rules) {
  constexpr unsigned k_rounds = 15, k_batches = 256;
  constexpr uint64_t k_flows = uint64_t{k_rounds + 1} * k_batches * k_most_batch;
  MARGAY_TRY(const auto cluster, Cluster::make({.rules = rules,
                                                .set_members = 100000,
                                                .sessions = static_cast<uint32_t>(k_flows)}));
  const Traffic traffic{.in = cluster->pod_interface(),
                        .flows = k_flows,
                        .make =
                            [&](rte_mbuf* packet, uint64_t flow) {
                              make_frame(packet, cluster->to_rule4(flow), protocol::k_tcp,
                                         k_tcp_syn, flow);
                            },
                        .is_right =
                            [&](rte_mbuf* packet, InterfaceIndex out, uint64_t flow) {
                              return cluster->left_unchanged(packet, out, cluster->to_rule4(flow));
                            }};
  MARGAY_TRY(const double cycles,
             cycles_per_packet(cluster->engine(), traffic, k_rounds, k_batches));
  return measured(name, k_frame_bytes_on_wire, k_flows, rules, cycles);
}

}  // namespace

std::vector<Case> established_cases() {
  std::vector<Case> cases;
  for (const uint64_t flows : {1U, 65'536U, 1'000'000U, 10'000'000U}) {
    const auto name = fmt::format("established4/flows={}", flows);
    cases.push_back({name, [=] { return established<Tuple4>(name, flows); }});
  }
  for (const uint64_t flows : {1U, 65'536U, 1'000'000U}) {
    const auto name = fmt::format("established6/flows={}", flows);
    cases.push_back({name, [=] { return established<Tuple6>(name, flows); }});
  }
  return cases;
}

std::vector<Case> new_flow_cases() {
  std::vector<Case> cases;
  for (const uint64_t rules : {1U, 10U, 100U, 1'000U, 10'000U}) {
    const auto name = fmt::format("newflow4/rules={}", rules);
    cases.push_back({name, [=] { return new_flow(name, rules); }});
  }
  return cases;
}

}  // namespace margay::vector::bench
