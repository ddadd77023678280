// What a lookup, an update and a prefix cost: PrefixMap beside DPDK's rte_fib (DIR24-8) and
// rte_fib6 (trie), with the same prefixes and the same addresses in the same run. `tsc/key` counts
// the time stamp counter's cycles.

#include <benchmark/benchmark.h>
#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <x86intrin.h>

#include <algorithm>
#include <random>

#include "vector/prefix_map.h"

namespace margay::vector {
namespace {

using base::IPAddress;
using base::Prefix;
using Content = std::vector<std::pair<Prefix, uint32_t>>;

constexpr size_t k_batch = 256, k_addresses = 65'536;
constexpr uint32_t k_next_hops = 1000;

using Random = std::mt19937_64;

// The lengths of a default-free table: percent of all.
struct Share {
  unsigned length, percent;
};
constexpr Share k_lengths4[] = {{24, 60}, {23, 9}, {22, 11}, {21, 5}, {20, 5},
                                {19, 3},  {18, 1}, {17, 1},  {16, 1}, {32, 4}};
constexpr Share k_lengths6[] = {{48, 47}, {32, 11}, {40, 9}, {44, 9}, {36, 5},
                                {46, 4},  {42, 3},  {56, 3}, {64, 4}, {34, 5}};

unsigned pick(std::span<const Share> shares, Random& random) {
  auto left = static_cast<unsigned>(random() % 100);
  for (const auto& [length, percent] : shares) {
    if (left < percent) return length;
    left -= percent;
  }
  return shares[0].length;
}

IPAddress v6(uint64_t high, uint64_t low) {
  const uint64_t halves[] = {__builtin_bswap64(high), __builtin_bswap64(low)};
  return IPAddress::v6(std::bit_cast<std::array<uint8_t, 16>>(halves));
}

uint32_t next_hop(Random& random) { return 1 + static_cast<uint32_t>(random() % k_next_hops); }

template <typename Map>
Content routes(size_t count);

template <>
Content routes<PrefixMap4>(size_t count) {
  Random random(4);
  Content content;
  while (content.size() < count) {
    const auto address = static_cast<uint32_t>(0x01000000 + random() % 0xdf000000);
    content.emplace_back(Prefix(IPAddress::v4(address), pick(k_lengths4, random)),
                         next_hop(random));
  }
  return content;
}

// Inside 60,000 allocations of /32 from the registries' blocks.
template <>
Content routes<PrefixMap6>(size_t count) {
  Random random(6);
  constexpr uint64_t k_registries[] = {0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00};
  std::vector<uint64_t> allocations;
  for (int i = 0; i < 60'000; ++i)
    allocations.push_back(k_registries[random() % 5] << 48 | (random() % (1 << 20)) << 32);
  Content content;
  while (content.size() < count) {
    const uint64_t high = allocations[random() % allocations.size()] | (random() & 0xffffffff);
    content.emplace_back(Prefix(v6(high, 0), pick(k_lengths6, random)), next_hop(random));
  }
  return content;
}

// Single addresses without any pattern: the members of a set.
template <typename Map>
Content members(size_t count) {
  Random random(1);
  Content content;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t high = random(), low = random();
    if constexpr (std::is_same_v<Map, PrefixMap4>) {
      content.emplace_back(Prefix(IPAddress::v4(static_cast<uint32_t>(high))), next_hop(random));
    } else {
      content.emplace_back(Prefix(v6(high, low)), next_hop(random));
    }
  }
  return content;
}

// Inside prefixes taken at random.
template <typename Map>
std::vector<typename Map::Address> destinations(const Content& content) {
  Random random(9);
  std::vector<typename Map::Address> addresses;
  for (size_t i = 0; i < k_addresses; ++i) {
    const Prefix& prefix = content[random() % content.size()].first;
    const unsigned free = prefix.address().bits() - prefix.length();
    const uint64_t offset = free >= 64 ? random() : random() & ((uint64_t{1} << free) - 1);
    addresses.push_back(Map::address(prefix.address().plus(offset)));
  }
  return addresses;
}

template <typename Map>
struct Loaded {
  explicit Loaded(Content what) : content(std::move(what)), map(rcu) {
    map.assign(content);
    rcu.reclaim();
  }
  Content content;
  Rcu rcu{1};
  Map map;
};

template <typename Map>
Loaded<Map>& table(bool of_members, size_t count) {
  static std::map<std::pair<bool, size_t>, std::unique_ptr<Loaded<Map>>> tables;
  auto& found = tables[{of_members, count}];
  if (!found)
    found = std::make_unique<Loaded<Map>>(of_members ? members<Map>(count) : routes<Map>(count));
  return *found;
}

// The median over batches: the time stamp counter also runs while another process has the core.
template <typename Address, typename Lookup>
void measure(benchmark::State& state, const std::vector<Address>& addresses, Lookup lookup) {
  std::vector<uint64_t> cycles;
  cycles.reserve(1 << 20);
  size_t at = 0;
  for (auto _ : state) {
    const uint64_t begin = __rdtsc();
    lookup(&addresses[at], k_batch);
    cycles.push_back(__rdtsc() - begin);
    at = (at + k_batch) % addresses.size();
  }
  const auto median = cycles.begin() + static_cast<ptrdiff_t>(cycles.size() / 2);
  std::ranges::nth_element(cycles, median);
  state.counters["tsc/key"] = static_cast<double>(*median) / k_batch;
}

template <typename Map>
void lookup_many(benchmark::State& state) {
  auto& loaded = table<Map>(state.range(0) != 0, static_cast<size_t>(state.range(1)));
  const auto addresses = destinations<Map>(loaded.content);
  std::array<uint32_t, k_batch> values;
  measure(state, addresses, [&](const typename Map::Address* first, size_t n) {
    loaded.map.lookup_many({first, n}, values.data());
    benchmark::DoNotOptimize(values);
  });
  state.counters["MiB"] = static_cast<double>(loaded.map.memory()) / (1 << 20);
}

template <typename Map>
void lookup_one(benchmark::State& state) {
  auto& loaded = table<Map>(state.range(0) != 0, static_cast<size_t>(state.range(1)));
  const auto addresses = destinations<Map>(loaded.content);
  measure(state, addresses, [&](const typename Map::Address* first, size_t n) {
    for (size_t i = 0; i < n; ++i) benchmark::DoNotOptimize(loaded.map.lookup(first[i]));
  });
}

void start_dpdk() {
  static const bool started = [] {
    const char* arguments[] = {"x",        "--no-huge",   "-m",           "2048", "--no-telemetry",
                               "--no-pci", "--no-shconf", "--log-level=4"};
    return rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) >= 0;
  }();
  if (!started) throw std::runtime_error("rte_eal_init failed");
}

void dpdk_fib(benchmark::State& state) {
  start_dpdk();
  const auto& content =
      table<PrefixMap4>(state.range(0) != 0, static_cast<size_t>(state.range(1))).content;
  rte_fib_conf conf{};
  conf.type = RTE_FIB_DIR24_8;
  conf.max_routes = static_cast<int>(2 * content.size());
  conf.dir24_8 = {RTE_FIB_DIR24_8_4B, 1 << 17};
  rte_fib* fib = rte_fib_create("fib", -1, &conf);
  if (fib == nullptr) return state.SkipWithError("rte_fib_create failed");
  size_t failed = 0;
  for (const auto& [prefix, value] : content)
    failed += rte_fib_add(fib, prefix.address().to_v4(), static_cast<uint8_t>(prefix.length()),
                          value) != 0;
  const auto addresses = destinations<PrefixMap4>(content);
  std::array<uint64_t, k_batch> values;
  measure(state, addresses, [&](const uint32_t* first, size_t n) {
    rte_fib_lookup_bulk(fib, const_cast<uint32_t*>(first), values.data(), static_cast<int>(n));
    benchmark::DoNotOptimize(values);
  });
  state.counters["failed"] = static_cast<double>(failed);
  rte_fib_free(fib);
}

void dpdk_fib6(benchmark::State& state) {
  start_dpdk();
  const auto& content =
      table<PrefixMap6>(state.range(0) != 0, static_cast<size_t>(state.range(1))).content;
  rte_fib6_conf conf{};
  conf.type = RTE_FIB6_TRIE;
  conf.max_routes = static_cast<int>(2 * content.size());
  conf.trie = {RTE_FIB6_TRIE_4B, 1 << 20};
  rte_fib6* fib = rte_fib6_create("fib6", -1, &conf);
  if (fib == nullptr) return state.SkipWithError("rte_fib6_create failed");
  size_t failed = 0;
  for (const auto& [prefix, value] : content)
    failed += rte_fib6_add(fib, prefix.address().bytes().data(),
                           static_cast<uint8_t>(prefix.length()), value) != 0;
  auto addresses = destinations<PrefixMap6>(content);
  std::array<uint64_t, k_batch> values;
  measure(state, addresses, [&](const PrefixMap6::Address* first, size_t n) {
    rte_fib6_lookup_bulk(fib,
                         reinterpret_cast<uint8_t(*)[16]>(const_cast<PrefixMap6::Address*>(first)),
                         values.data(), static_cast<int>(n));
    benchmark::DoNotOptimize(values);
  });
  state.counters["failed"] = static_cast<double>(failed);
  rte_fib6_free(fib);
}

template <typename Map>
void assign(benchmark::State& state) {
  const auto content = routes<Map>(static_cast<size_t>(state.range(0)));
  Rcu rcu(1);
  Map map(rcu);
  for (auto _ : state) {
    map.assign(content);
    rcu.reclaim();
  }
}

// One member of a set leaves and comes back: two updates.
template <typename Map>
void replace_member(benchmark::State& state) {
  const auto content = members<Map>(static_cast<size_t>(state.range(0)));
  Rcu rcu(1);
  Map map(rcu);
  map.assign(content);
  Random random(2);
  for (auto _ : state) {
    const auto& [prefix, value] = content[random() % content.size()];
    map.erase(prefix);
    map.set(prefix, value);
    rcu.reclaim();
  }
}

// A prefix over all members changes its value.
template <typename Map>
void replace_cover(benchmark::State& state) {
  const auto content = members<Map>(static_cast<size_t>(state.range(0)));
  Rcu rcu(1);
  Map map(rcu);
  map.assign(content);
  const auto family = content[0].first.family();
  const Prefix cover = Prefix::all(family);
  uint32_t value = 0;
  for (auto _ : state) {
    map.set(cover, 1 + value++ % 2);
    rcu.reclaim();
  }
}

#define PREFIX_TABLES Args({0, 1000})->Args({0, 100'000})->Args({0, 1'000'000})->Args({1, 100'000})
BENCHMARK(lookup_many<PrefixMap4>)->PREFIX_TABLES;
BENCHMARK(dpdk_fib)->PREFIX_TABLES;
BENCHMARK(lookup_one<PrefixMap4>)->PREFIX_TABLES;
BENCHMARK(lookup_many<PrefixMap6>)->PREFIX_TABLES;
BENCHMARK(dpdk_fib6)->PREFIX_TABLES;
BENCHMARK(lookup_one<PrefixMap6>)->PREFIX_TABLES;
BENCHMARK(assign<PrefixMap4>)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(assign<PrefixMap6>)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(replace_member<PrefixMap4>)->Arg(100'000);
BENCHMARK(replace_member<PrefixMap6>)->Arg(100'000);
BENCHMARK(replace_cover<PrefixMap4>)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK(replace_cover<PrefixMap6>)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace margay::vector
