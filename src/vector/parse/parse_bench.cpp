#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <vector>

#include "vector/parse/parse.h"
#include "vector/parse/parse_fast.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

constexpr size_t k_batch = 256, k_stride = 2048;

// A batch as workers have it: each packet in a buffer of its own.
struct Batch {
  std::vector<uint8_t> memory = std::vector<uint8_t>(k_batch * k_stride);
  std::vector<std::span<const uint8_t>> packets;
  uint8_t family;

  Batch(uint8_t ip_family, bool usual) : family(ip_family) {
    for (size_t i = 0; i < k_batch; ++i) {
      const auto port = static_cast<uint16_t>(1000 + i);
      testing::PacketBuilder builder;
      builder.ethernet();
      if (family == 4)
        builder.ipv4("10.0.0.1", "10.0.0.2");
      else
        builder.ipv6("fd00::1", "fd00::2");
      if (!usual && family == 4) builder.options({148, 4, 0, 0});
      if (!usual && family == 6) builder.destination_options();
      const auto bytes = builder.tcp(port, 80).payload(6).build();
      std::copy(bytes.begin(), bytes.end(), memory.data() + i * k_stride);
      packets.emplace_back(memory.data() + i * k_stride, bytes.size());
    }
  }
};

template <typename Parse>
void run(benchmark::State& state, bool usual, Parse parse_one) {
  const Batch batch(static_cast<uint8_t>(state.range(0)), usual);
  std::vector<Parsed> parsed(k_batch);
  uint64_t fastest = UINT64_MAX;  // on a busy machine the mean counts others' work too
  for (auto _ : state) {
    const uint64_t start = __rdtsc();
    for (size_t i = 0; i < k_batch; ++i) {
      if (!parse_one(batch.packets[i], batch.family, parsed[i])) state.SkipWithError("not parsed");
    }
    fastest = std::min<uint64_t>(fastest, __rdtsc() - start);
    benchmark::DoNotOptimize(parsed.data());
    benchmark::ClobberMemory();
  }
  state.counters["cycles/packet"] = static_cast<double>(fastest) / static_cast<double>(k_batch);
}

void BM_ParseFast(benchmark::State& state) {
  run(state, true,
      [](auto packet, uint8_t family, Parsed& out) { return parse_fast(packet, 14, family, out); });
}
BENCHMARK(BM_ParseFast)->Arg(4)->Arg(6);

void BM_Parse(benchmark::State& state) {
  run(state, true, [](auto packet, uint8_t family, Parsed& out) {
    return parse(packet, 14, family, out) == DropReason::none;
  });
}
BENCHMARK(BM_Parse)->Arg(4)->Arg(6);

void BM_ParseOptions(benchmark::State& state) {
  run(state, false, [](auto packet, uint8_t family, Parsed& out) {
    return parse(packet, 14, family, out) == DropReason::none;
  });
}
BENCHMARK(BM_ParseOptions)->Arg(4)->Arg(6);

}  // namespace
}  // namespace margay::vector
