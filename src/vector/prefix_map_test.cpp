#include "vector/prefix_map.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace margay::vector {
namespace {

using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using Random = std::independent_bits_engine<std::mt19937, 32, uint32_t>;

Prefix prefix(const char* text) { return *Prefix::parse(text); }

template <typename Map>
uint32_t lookup(const Map& map, const char* text) {
  return map.lookup(Map::address(*IPAddress::parse(text)));
}

// What the map has to do, said as plainly as can be.
struct Model {
  std::map<Prefix, uint32_t> content;
  std::array<size_t, 129> with_length{};

  bool set(const Prefix& prefix, uint32_t value) {
    const bool fresh = content.insert_or_assign(prefix, value).second;
    if (fresh) ++with_length[prefix.length()];
    return fresh;
  }
  bool erase(const Prefix& prefix) {
    const bool there = content.erase(prefix) == 1;
    if (there) --with_length[prefix.length()];
    return there;
  }
  uint32_t lookup(const IPAddress& address) const {
    for (unsigned length = address.bits() + 1; length-- > 0;) {
      if (with_length[length] == 0) continue;
      const auto found = content.find(Prefix(address, length));
      if (found != content.end()) return found->second;
    }
    return 0;
  }
};

struct Operation {
  Prefix prefix;
  uint32_t value;  // 0: erase
};

IPAddress first(IPFamily family, std::array<uint8_t, 16> bytes) {
  return family == IPFamily::v6 ? IPAddress::v6(bytes)
                                : *IPAddress::from_bytes(std::span(bytes).first(4));
}

IPAddress with_bit_flipped(const IPAddress& address, unsigned bit) {
  std::array<uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 0x80U >> bit % 8);
  return first(address.family(), bytes);
}

// Map and model side by side; every look compares both ways to look up.
template <typename Map>
class Twins {
 public:
  void apply(const Operation& operation) {
    const auto& [prefix, value] = operation;
    if (value == 0) {
      EXPECT_EQ(map_.erase(prefix), model_.erase(prefix));
    } else {
      EXPECT_EQ(map_.set(prefix, value), model_.set(prefix, value));
    }
    rcu_.reclaim();
    seen_.push_back(prefix);
  }

  void assign_what_the_model_has() {
    const std::vector<std::pair<Prefix, uint32_t>> content(model_.content.begin(),
                                                           model_.content.end());
    map_.assign(content);
    rcu_.reclaim();
  }

  // At the edges of every prefix there ever was, and one bit beside, at each depth.
  bool agree() {
    std::vector<IPAddress> places;
    for (const Prefix& prefix : seen_) {
      places.push_back(prefix.address());
      places.push_back(prefix.last());
      places.push_back(prefix.last().plus(1));
      if (prefix.length() > 0)
        places.push_back(with_bit_flipped(prefix.last(), prefix.length() - 1));
      for (unsigned bit = prefix.length() % 11; bit < prefix.address().bits(); bit += 11)
        places.push_back(with_bit_flipped(prefix.address(), bit));
    }
    return agree_at(places);
  }

  bool agree_at(const std::vector<IPAddress>& places) {
    std::vector<typename Map::Address> addresses;
    addresses.reserve(places.size());
    for (const auto& place : places) addresses.push_back(Map::address(place));
    std::vector<uint32_t> values(places.size());
    map_.lookup_many(addresses, values.data());
    for (size_t i = 0; i < places.size(); ++i) {
      const uint32_t expected = model_.lookup(places[i]);
      EXPECT_EQ(values[i], expected) << places[i].to_string();
      EXPECT_EQ(map_.lookup(addresses[i]), expected) << places[i].to_string();
      if (values[i] != expected) return false;
    }
    for (const auto& [prefix, value] : model_.content) EXPECT_EQ(map_.find(prefix), value);
    return map_.size() == model_.content.size();
  }

  void erase_all() {
    while (!model_.content.empty()) apply({model_.content.begin()->first, 0});
  }

  Map& map() { return map_; }

 private:
  Rcu rcu_{1};
  Map map_{rcu_};
  Model model_;
  std::vector<Prefix> seen_;
};

// Prefixes that nest: few bits are free, so that every length has company.
template <typename Map>
rc::Gen<Operation> operations() {
  constexpr bool k_v4 = std::is_same_v<Map, PrefixMap4>;
  return rc::gen::apply(
      [](const std::vector<unsigned>& ones, unsigned length, uint32_t value) {
        std::array<uint8_t, 16> bytes{};
        for (unsigned bit : ones)
          bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | 0x80U >> bit % 8);
        const auto family = k_v4 ? IPFamily::v4 : IPFamily::v6;
        return Operation{Prefix(first(family, bytes), length), value};
      },
      rc::gen::resize(
          3, rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, k_v4 ? 32U : 128U))),
      rc::gen::inRange(0U, k_v4 ? 33U : 129U), rc::gen::inRange(0U, 4U));
}

template <typename Map>
class PrefixMapTest : public testing::Test {};
using Maps = testing::Types<PrefixMap4, PrefixMap6>;
TYPED_TEST_SUITE(PrefixMapTest, Maps);

TYPED_TEST(PrefixMapTest, AgreesWithTheModelAfterEveryOperation) {
  rc::check([] {
    Twins<TypeParam> twins;
    const auto sequence =
        *rc::gen::container<std::vector<Operation>>(operations<TypeParam>()).as("operations");
    for (const Operation& operation : sequence) {
      twins.apply(operation);
      RC_ASSERT(twins.agree());
    }
    twins.assign_what_the_model_has();
    RC_ASSERT(twins.agree());
  });
}

TYPED_TEST(PrefixMapTest, AgreesWithTheModelOverALongLife) {
  constexpr bool k_v4 = std::is_same_v<TypeParam, PrefixMap4>;
  Random random(7);
  Twins<TypeParam> twins;
  const size_t empty = twins.map().memory();
  for (int round = 0; round < 3000; ++round) {
    std::array<uint8_t, 16> bytes{};
    // Dense at the top and along one path, with random tails.
    const unsigned path = random() % (k_v4 ? 33 : 129);
    for (unsigned bit = 0; bit < (k_v4 ? 32 : 128); ++bit) {
      const bool one = bit < path ? bit % 5 == 1 : random() % 2 == 0;
      if (one) bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | 0x80U >> bit % 8);
    }
    const unsigned length = path + static_cast<unsigned>(random() % ((k_v4 ? 33 : 129) - path));
    const IPAddress address = first(k_v4 ? IPFamily::v4 : IPFamily::v6, bytes);
    twins.apply({Prefix(address, length), static_cast<uint32_t>(random() % 4)});
    ASSERT_TRUE(twins.agree_at({address, address.plus(1), with_bit_flipped(address, path / 2)}));
    if (round == 1500) twins.assign_what_the_model_has();
    ASSERT_TRUE(round % 300 != 0 || twins.agree());
  }
  ASSERT_TRUE(twins.agree());
  EXPECT_GT(twins.map().memory(), empty);
  twins.erase_all();
  ASSERT_TRUE(twins.agree());
  EXPECT_EQ(twins.map().memory(), empty);
}

// A short prefix comes and goes over longer ones.
TYPED_TEST(PrefixMapTest, AShortPrefixAppliesWhereNoLongerOneDoes) {
  constexpr bool k_v4 = std::is_same_v<TypeParam, PrefixMap4>;
  Random random(3);
  Twins<TypeParam> twins;
  const IPAddress start = *IPAddress::parse(k_v4 ? "10.0.0.0" : "fd00::");
  std::vector<IPAddress> places;
  for (int i = 0; i < 2000; ++i) {
    const auto offset = static_cast<uint64_t>(random()) & 0xffffff;
    const IPAddress address = start.plus(offset);
    const auto length = start.bits() - static_cast<unsigned>(random() % 12);
    twins.apply({Prefix(address, length), 1 + static_cast<uint32_t>(random() % 3)});
    for (uint64_t beside : {0, 1, 9, 4096}) places.push_back(address.plus(beside));
  }
  for (unsigned length : {8U, 0U, 7U, start.bits() - 24, start.bits() - 13}) {
    const Prefix cover(start, length);
    for (uint32_t value : {2U, 9U, 1U, 0U, 8U}) {
      twins.apply({cover, value});
      ASSERT_TRUE(twins.agree_at(places)) << cover.to_string() << " " << value;
    }
  }
}

TEST(PrefixMap, AnswersZeroWhereNoPrefixIs) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  EXPECT_EQ(lookup(map, "0.0.0.0"), 0U);
  map.set(prefix("10.0.0.0/8"), 1);
  EXPECT_EQ(lookup(map, "9.255.255.255"), 0U);
  EXPECT_EQ(lookup(map, "10.0.0.0"), 1U);
  EXPECT_EQ(lookup(map, "10.255.255.255"), 1U);
  EXPECT_EQ(lookup(map, "11.0.0.0"), 0U);
}

TEST(PrefixMap, TakesTheLongestOfNestedPrefixes) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  map.set(prefix("10.1.2.3/32"), 5);
  map.set(prefix("0.0.0.0/0"), 1);
  map.set(prefix("10.1.0.0/16"), 3);
  map.set(prefix("10.0.0.0/8"), 2);
  map.set(prefix("10.1.2.0/24"), 4);
  EXPECT_EQ(lookup(map, "10.1.2.3"), 5U);
  EXPECT_EQ(lookup(map, "10.1.2.4"), 4U);
  EXPECT_EQ(lookup(map, "10.1.3.3"), 3U);
  EXPECT_EQ(lookup(map, "10.2.2.3"), 2U);
  EXPECT_EQ(lookup(map, "11.1.2.3"), 1U);
  map.erase(prefix("10.1.2.0/24"));
  EXPECT_EQ(lookup(map, "10.1.2.3"), 5U);
  EXPECT_EQ(lookup(map, "10.1.2.4"), 3U);
}

TEST(PrefixMap, KnowsBothEndsOfTheAddressSpace) {
  Rcu rcu(1);
  PrefixMap6 map(rcu);
  const char* highest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  map.set(prefix("::/128"), 1);
  map.set(prefix(highest), 2);
  EXPECT_EQ(lookup(map, "::"), 1U);
  EXPECT_EQ(lookup(map, "::1"), 0U);
  EXPECT_EQ(lookup(map, highest), 2U);
  EXPECT_EQ(lookup(map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), 0U);
  map.set(prefix("::/0"), PrefixMap6::k_largest_value);
  EXPECT_EQ(lookup(map, "::1"), PrefixMap6::k_largest_value);
  EXPECT_EQ(lookup(map, "::"), 1U);
}

TEST(PrefixMap, APrefixWithItsParentsValueOutlivesTheParent) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  map.set(prefix("10.0.0.0/8"), 1);
  map.set(prefix("10.1.0.0/24"), 1);
  map.set(prefix("10.1.0.9/32"), 1);
  map.set(prefix("10.0.0.0/8"), 2);
  EXPECT_EQ(lookup(map, "10.1.0.1"), 1U);
  EXPECT_EQ(lookup(map, "10.2.0.1"), 2U);
  map.erase(prefix("10.0.0.0/8"));
  EXPECT_EQ(lookup(map, "10.1.0.1"), 1U);
  EXPECT_EQ(lookup(map, "10.2.0.1"), 0U);
  map.erase(prefix("10.1.0.0/24"));
  EXPECT_EQ(lookup(map, "10.1.0.1"), 0U);
  EXPECT_EQ(lookup(map, "10.1.0.9"), 1U);
}

TEST(PrefixMap, TellsWhetherAPrefixWasThere) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  EXPECT_TRUE(map.set(prefix("10.0.0.0/8"), 1));
  EXPECT_FALSE(map.set(prefix("10.0.0.0/8"), 2));
  EXPECT_EQ(map.find(prefix("10.0.0.0/8")), 2U);
  EXPECT_EQ(map.find(prefix("10.0.0.0/9")), 0U);
  EXPECT_EQ(map.find(prefix("0.0.0.0/0")), 0U);
  EXPECT_FALSE(map.erase(prefix("10.0.0.0/9")));
  EXPECT_FALSE(map.erase(prefix("0.0.0.0/0")));
  EXPECT_TRUE(map.erase(prefix("10.0.0.0/8")));
  EXPECT_FALSE(map.erase(prefix("10.0.0.0/8")));
  EXPECT_EQ(map.size(), 0U);
}

TEST(PrefixMap, RefusesValuesAndFamiliesItCannotHold) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  EXPECT_THROW(map.set(prefix("10.0.0.0/8"), 0), std::invalid_argument);
  EXPECT_THROW(map.set(prefix("10.0.0.0/8"), PrefixMap4::k_largest_value + 1),
               std::invalid_argument);
  EXPECT_THROW(map.set(prefix("fd00::/8"), 1), std::invalid_argument);
  EXPECT_EQ(map.size(), 0U);
}

TEST(PrefixMap, OfEqualPrefixesTheLastAssignedCounts) {
  Rcu rcu(1);
  PrefixMap4 map(rcu);
  map.set(prefix("11.0.0.0/8"), 7);
  const std::pair<Prefix, uint32_t> content[] = {
      {prefix("10.0.0.0/8"), 1}, {prefix("10.0.0.0/9"), 3}, {prefix("10.0.0.0/8"), 2}};
  map.assign(content);
  EXPECT_EQ(map.size(), 2U);
  EXPECT_EQ(lookup(map, "10.200.0.1"), 2U);
  EXPECT_EQ(lookup(map, "10.0.0.1"), 3U);
  EXPECT_EQ(lookup(map, "11.0.0.1"), 0U);
}

TEST(PrefixMap, KeepsWithinItsMemory) {
  std::mt19937_64 random(1);
  Rcu rcu(1);
  std::vector<std::pair<Prefix, uint32_t>> members4, members6;
  for (uint32_t i = 1; i <= 100'000; ++i) {
    members4.emplace_back(Prefix(IPAddress::v4(static_cast<uint32_t>(random()))), i);
    const uint64_t halves[] = {random(), random()};
    members6.emplace_back(Prefix(IPAddress::v6(std::bit_cast<std::array<uint8_t, 16>>(halves))), i);
  }
  PrefixMap4 map4(rcu);
  PrefixMap6 map6(rcu);
  for (const auto& [prefix, value] : members4) map4.set(prefix, value);
  for (const auto& [prefix, value] : members6) map6.set(prefix, value);
  rcu.synchronize();
  EXPECT_LE(map4.memory(), size_t{16} << 20);
  EXPECT_LE(map6.memory(), size_t{24} << 20);
}

// One thread changes what surrounds and covers the addresses that others look up.
template <typename Map>
class Concurrent {
 public:
  struct Watched {
    IPAddress address;
    std::vector<uint32_t> allowed;
  };

  explicit Concurrent(std::vector<Watched> watched) : watched_(std::move(watched)) {
    for (unsigned worker = 0; worker < 2; ++worker) {
      readers_.emplace_back([this, worker] { read(worker); });
      while (started_.load() <= worker) std::this_thread::yield();
    }
  }
  ~Concurrent() { stop(); }

  // From here on every answer is judged: the map has what it needs.
  void begin() { begun_ = true; }
  void stop() {
    stop_ = true;
    for (auto& reader : readers_) reader.join();
    readers_.clear();
  }
  Map& map() { return map_; }
  Rcu& rcu() { return rcu_; }
  size_t wrong() const { return wrong_; }
  size_t rounds() const { return rounds_; }

 private:
  void read(unsigned worker) {
    std::vector<typename Map::Address> addresses;
    addresses.reserve(watched_.size());
    for (const auto& each : watched_) addresses.push_back(Map::address(each.address));
    std::vector<uint32_t> values(addresses.size());
    rcu_.online(worker);
    ++started_;
    while (!stop_) {
      const bool judge = begun_;
      if (worker == 0) {
        map_.lookup_many(addresses, values.data());
      } else {
        for (size_t i = 0; i < values.size(); ++i) values[i] = map_.lookup(addresses[i]);
      }
      for (size_t i = 0; judge && i < values.size(); ++i)
        if (std::ranges::find(watched_[i].allowed, values[i]) == watched_[i].allowed.end())
          ++wrong_;
      ++rounds_;
      rcu_.quiescent(worker);
    }
    rcu_.offline(worker);
  }

  std::vector<Watched> watched_;
  Rcu rcu_{2};
  Map map_{rcu_};
  std::atomic<unsigned> started_{0};
  std::atomic<bool> stop_{false}, begun_{false};
  std::atomic<size_t> wrong_{0}, rounds_{0};
  std::vector<std::thread> readers_;
};

template <typename Map>
struct Scene;
template <>
struct Scene<PrefixMap4> {
  static constexpr const char* k_steady = "10.0.0.0/8";
  static constexpr const char* k_block = "10.1.2.0/24";
  static constexpr const char* k_host = "10.1.2.77/32";
  static constexpr const char* k_neighbours[] = {"10.1.2.76/32", "10.1.2.64/26", "10.1.2.0/25",
                                                 "10.1.0.0/16",  "10.1.3.0/24",  "10.1.2.78/31"};
  static constexpr const char* k_outside = "10.2.0.1";
  static constexpr const char* k_bare = "12.0.0.1";
};
template <>
struct Scene<PrefixMap6> {
  static constexpr const char* k_steady = "fd00::/16";
  static constexpr const char* k_block = "fd00:1:2::/48";
  static constexpr const char* k_host = "fd00:1:2::4d/128";
  static constexpr const char* k_neighbours[] = {"fd00:1:2::4c/128", "fd00:1:2::40/122",
                                                 "fd00:1:2::/64",    "fd00:1::/32",
                                                 "fd00:1:3::/48",    "fd00:1:2::4e/127"};
  static constexpr const char* k_outside = "fd00:8000::1";
  static constexpr const char* k_bare = "fd08::1";
};

TYPED_TEST(PrefixMapTest, ReadersNeverSeeAnythingButTheStateBeforeOrAfter) {
  using S = Scene<TypeParam>;
  const Prefix host = prefix(S::k_host), block = prefix(S::k_block), steady = prefix(S::k_steady);
  // 1 covers it all; 2 is the block's and 3 the host's, which come and go; 4 and up are the
  // neighbours'. What no prefix covers stays 0, and the host's address always has a route: the
  // block goes only while the host's own prefix is there, and the other way round.
  Concurrent<TypeParam> scene({{host.address(), {2, 3}},
                               {*IPAddress::parse(S::k_outside), {1}},
                               {*IPAddress::parse(S::k_bare), {0}},
                               {prefix(S::k_neighbours[0]).address(), {1, 2, 4, 5, 6, 7}},
                               {prefix(S::k_neighbours[4]).address(), {1, 7, 8}}});
  TypeParam& map = scene.map();
  map.set(steady, 1);
  map.set(host, 3);
  scene.begin();
  Random random(5);
  std::map<Prefix, bool> there;
  for (int round = 0; round < 20'000 || scene.rounds() < 1000; ++round) {
    const size_t which = random() % std::size(S::k_neighbours);
    const Prefix neighbour = prefix(S::k_neighbours[which]);
    if (there[neighbour]) {
      map.erase(neighbour);
    } else {
      map.set(neighbour, 4 + static_cast<uint32_t>(which));
    }
    there[neighbour] = !there[neighbour];
    const bool clear = !there[prefix(S::k_neighbours[1])] && !there[prefix(S::k_neighbours[2])];
    if (clear) {
      map.set(block, 2);
      map.erase(host);
      map.set(host, 3);
      map.erase(block);
    }
    scene.rcu().reclaim();
  }
  scene.stop();
  EXPECT_EQ(scene.wrong(), 0U);
}

TYPED_TEST(PrefixMapTest, ReadersStayRightWhileEverythingIsReplaced) {
  using S = Scene<TypeParam>;
  const Prefix steady = prefix(S::k_steady), block = prefix(S::k_block);
  Concurrent<TypeParam> scene({{block.address(), {1, 2}}, {*IPAddress::parse(S::k_bare), {0}}});
  const std::pair<Prefix, uint32_t> wide[] = {{steady, 1}};
  const std::pair<Prefix, uint32_t> narrow[] = {{steady, 9}, {block, 2}};
  scene.map().assign(wide);
  scene.begin();
  for (int round = 0; round < 100 || scene.rounds() < 1000; ++round) {
    scene.map().assign(narrow);
    scene.map().assign(wide);
    scene.rcu().reclaim();
  }
  scene.stop();
  EXPECT_EQ(scene.wrong(), 0U);
}

}  // namespace
}  // namespace margay::vector
