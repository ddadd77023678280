#include "vector/parse/rewrite.h"

#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <vector>

#include "vector/parse/parse.h"
#include "vector/parse/reassembly.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

constexpr size_t k_batch = 256, k_stride = 2048;

// Reports the fastest batch: on a busy machine the mean counts others' work too.
template <typename Work>
void count_cycles(benchmark::State& state, size_t packets, Work work) {
  uint64_t fastest = UINT64_MAX;
  for (auto _ : state) {
    const uint64_t start = __rdtsc();
    work();
    fastest = std::min<uint64_t>(fastest, __rdtsc() - start);
    benchmark::ClobberMemory();
  }
  state.counters["cycles/packet"] = static_cast<double>(fastest) / static_cast<double>(packets);
}

// NAT and one hop less, for a batch of packets in buffers of their own.
template <size_t Address>
void BM_Rewrite(benchmark::State& state) {
  constexpr bool k_v4 = Address == 4;
  const bool udp = state.range(0) == protocol::k_udp;
  std::vector<uint8_t> memory(k_batch * k_stride);
  std::vector<Parsed> parsed(k_batch);
  for (size_t i = 0; i < k_batch; ++i) {
    testing::PacketBuilder builder;
    builder.ip(k_v4 ? "10.0.0.1" : "fd00::1", k_v4 ? "10.0.0.2" : "fd00::2").ttl(255);
    const auto port = static_cast<uint16_t>(1000 + i);
    const auto bytes = (udp ? builder.udp(port, 53) : builder.tcp(port, 80)).payload(6).build();
    std::copy(bytes.begin(), bytes.end(), memory.data() + i * k_stride);
    if (parse(bytes, 0, k_v4 ? 4 : 6, parsed[i]) != DropReason::none)
      state.SkipWithError("not parsed");
  }
  const auto from = ends_of<Address>(memory.data(), parsed[0]);
  auto to = from;
  to.source[Address - 1] = 77;
  to.source_port = 40000;
  const auto rewrite = make_rewrite(parsed[0].protocol, from, to);
  count_cycles(state, k_batch, [&] {
    for (size_t i = 0; i < k_batch; ++i) {
      uint8_t* packet = memory.data() + i * k_stride;
      bool done = apply(rewrite, packet, parsed[i]);
      packet[k_v4 ? 8 : 7] = 64;
      done &= decrement_ttl(packet, k_v4 ? 4 : 6);
      benchmark::DoNotOptimize(done);
    }
  });
}
BENCHMARK(BM_Rewrite<4>)->Arg(protocol::k_tcp)->Arg(protocol::k_udp);
BENCHMARK(BM_Rewrite<16>)->Arg(protocol::k_tcp)->Arg(protocol::k_udp);

// A packet of three fragments, in order or with the first one last.
void BM_Reassembly(benchmark::State& state) {
  Reassembly reassembly({}, 1);
  Reassembly::Released released;
  auto parts = testing::fragments(
      testing::PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(4000).build(), 1480);
  if (state.range(0) != 0) std::swap(parts.front(), parts.back());
  std::vector<Parsed> parsed(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parse(parts[i], 0, 4, parsed[i]) != DropReason::none) state.SkipWithError("not parsed");
  }
  count_cycles(state, parts.size(), [&] {
    for (size_t i = 0; i < parts.size(); ++i) {
      auto copy = parsed[i];
      benchmark::DoNotOptimize(reassembly.add(0, parts[i], copy, i, released));
    }
  });
}
BENCHMARK(BM_Reassembly)->Arg(0)->Arg(1);

}  // namespace
}  // namespace margay::vector
