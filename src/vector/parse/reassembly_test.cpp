#include "vector/parse/reassembly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "vector/parse/parse.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::PacketBuilder;
using Fate = Reassembly::Fate;

PacketBuilder v4() { return PacketBuilder().ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder v6() { return PacketBuilder().ipv6("fd00::1", "fd00::2"); }

// A later fragment at `offset` of `bytes` bytes, and a first one.
Bytes later(uint16_t offset, size_t bytes, bool more, uint32_t id = 1) {
  return v4().fragment(offset, more, id).protocol(17).payload(bytes).build();
}
Bytes first(size_t bytes, uint32_t id = 1) {
  return v4().fragment(0, true, id).udp(1000, 53).payload(bytes - 8).build();
}

struct Outcome {
  Fate fate;
  DropReason reason;
  std::vector<uint64_t> released;
  Parsed parsed;
};

struct Table {
  Reassembly reassembly;
  uint64_t now = 0;
  uint64_t handles = 0;  // each fragment's is the number of its call, from 1

  explicit Table(Reassembly::Limits limits = {}) : reassembly(limits, 99) {}

  Outcome add(const Bytes& packet) {
    Outcome outcome{};
    EXPECT_EQ(parse(packet, 0, packet[0] >> 4, outcome.parsed), DropReason::none);
    Reassembly::Released released;
    const auto verdict = reassembly.add(now, packet, outcome.parsed, ++handles, released);
    outcome.fate = verdict.fate;
    outcome.reason = verdict.reason;
    outcome.released.assign(released.all().begin(), released.all().end());
    return outcome;
  }

  std::vector<std::vector<uint64_t>> expire() {
    std::vector<std::vector<uint64_t>> all;
    Reassembly::Released released;
    while (reassembly.expire(now, released))
      all.emplace_back(released.all().begin(), released.all().end());
    return all;
  }
};

void expect_forwarded(const Outcome& outcome, uint16_t source_port, uint16_t destination_port) {
  EXPECT_EQ(outcome.fate, Fate::forward);
  EXPECT_EQ(outcome.parsed.source_port, source_port);
  EXPECT_EQ(outcome.parsed.destination_port, destination_port);
}

void expect_dropped(const Outcome& outcome, DropReason reason) {
  EXPECT_EQ(outcome.fate, Fate::drop);
  EXPECT_EQ(text_of(outcome.reason).name, text_of(reason).name);
}

TEST(Reassembly, InOrderEachLearnsThePorts) {
  for (const auto& whole :
       {v4().udp(1000, 53).payload(200).build(), v6().udp(1000, 53).payload(200).build()}) {
    Table table;
    for (const auto& fragment : testing::fragments(whole, 64)) {
      const auto outcome = table.add(fragment);
      expect_forwarded(outcome, 1000, 53);
      EXPECT_EQ(outcome.parsed.protocol, 17);
      EXPECT_THAT(outcome.released, IsEmpty());
    }
    EXPECT_EQ(table.reassembly.packets(), 0u) << "a complete packet is forgotten";
  }
}

TEST(Reassembly, LaterOnesWaitForTheFirst) {
  Table table;
  const auto parts = testing::fragments(v6().echo(false, 77).payload(200).build(), 64);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(table.add(parts[3]).fate, Fate::hold);
  EXPECT_EQ(table.add(parts[1]).fate, Fate::hold);
  EXPECT_EQ(table.reassembly.held(), 2u);
  const auto released = table.add(parts[0]);
  expect_forwarded(released, 77, 77);
  EXPECT_THAT(released.released, ElementsAre(1, 2));
  EXPECT_EQ(table.reassembly.held(), 0u);
  const auto last = table.add(parts[2]);
  expect_forwarded(last, 77, 77);
  EXPECT_EQ(last.parsed.protocol, 58);
  EXPECT_EQ(last.parsed.icmp_type, 128);
  EXPECT_EQ(table.reassembly.packets(), 0u);
}

TEST(Reassembly, TheLastToComeMayBeTheFirst) {
  Table table;
  table.add(later(64, 10, false));
  EXPECT_THAT(table.add(first(64)).released, ElementsAre(1));
  EXPECT_EQ(table.reassembly.packets(), 0u);
}

// In IPv6 a later fragment names the header that its packet's fragments begin with, which need not
// be the transport protocol.
TEST(Reassembly, ProtocolIsTheFirstFragments) {
  Table table;
  table.add(v6().fragment(0, true).destination_options().udp(5, 6).build());
  const auto outcome = table.add(v6().fragment(16, false).protocol(60).payload(8).build());
  expect_forwarded(outcome, 5, 6);
  EXPECT_EQ(outcome.parsed.protocol, 17);
}

TEST(Reassembly, TellsPacketsApart) {
  const std::pair<const char*, Bytes> others[] = {
      {"id", later(64, 8, false, 2)},
      {"protocol", v4().fragment(64, false).protocol(6).payload(8).build()},
      {"source", PacketBuilder()
                     .ipv4("10.0.0.9", "10.0.0.2")
                     .fragment(64, false)
                     .protocol(17)
                     .payload(8)
                     .build()},
      {"destination", PacketBuilder()
                          .ipv4("10.0.0.1", "10.0.0.9")
                          .fragment(64, false)
                          .protocol(17)
                          .payload(8)
                          .build()},
      {"family", v6().fragment(64, false).protocol(17).payload(8).build()},
  };
  for (const auto& [name, packet] : others) {
    Table table;
    table.add(first(64));
    EXPECT_EQ(table.add(packet).fate, Fate::hold) << name;
    EXPECT_EQ(table.reassembly.packets(), 2u) << name;
  }
  // In IPv6 the protocol does not tell packets apart, and the upper half of the id does.
  Table table;
  table.add(v6().fragment(0, true, 0x10001).udp(1, 2).build());
  EXPECT_EQ(table.add(v6().fragment(64, true, 0x10001).protocol(60).payload(8).build()).fate,
            Fate::forward);
  EXPECT_EQ(table.add(v6().fragment(64, true, 0x20001).protocol(17).payload(8).build()).fate,
            Fate::hold);
}

TEST(Reassembly, OverlapsPoisonThePacket) {
  const std::pair<const char*, Bytes> overlaps[] = {
      {"begins inside", later(120, 16, true)}, {"ends inside", later(56, 16, true)},
      {"contains", later(56, 80, true)},       {"is contained", later(72, 8, true)},
      {"same begin", later(64, 8, true)},      {"same end", later(120, 8, true)},
  };
  for (const auto& [name, packet] : overlaps) {
    SCOPED_TRACE(name);
    Table table;
    EXPECT_EQ(table.add(later(64, 64, true)).fate, Fate::hold);
    const auto outcome = table.add(packet);
    expect_dropped(outcome, DropReason::fragment_overlap);
    EXPECT_THAT(outcome.released, ElementsAre(1)) << "what was held shares the fate";
    expect_dropped(table.add(first(56)), DropReason::fragment_overlap);
    expect_dropped(table.add(later(128, 8, false)), DropReason::fragment_overlap);
    table.now = 30'000;
    EXPECT_THAT(table.expire(), ElementsAre(IsEmpty()));
    EXPECT_EQ(table.add(later(128, 8, false)).fate, Fate::hold) << "until its time is over";
  }
}

TEST(Reassembly, NeighboursDoNotOverlap) {
  Table table;
  table.add(later(64, 64, true));
  EXPECT_EQ(table.add(later(56, 8, true)).fate, Fate::hold);
  EXPECT_EQ(table.add(later(128, 8, true)).fate, Fate::hold);
}

TEST(Reassembly, RepetitionsAreDroppedAlone) {
  Table table;
  EXPECT_EQ(table.add(later(64, 64, true)).fate, Fate::hold);
  auto again = table.add(later(64, 64, true));
  expect_dropped(again, DropReason::fragment_overlap);
  EXPECT_THAT(again.released, IsEmpty());
  EXPECT_THAT(table.add(first(64)).released, ElementsAre(1));
  expect_dropped(table.add(first(64)), DropReason::fragment_overlap);
  expect_forwarded(table.add(later(128, 8, false)), 1000, 53);
}

TEST(Reassembly, NothingComesBehindTheLast) {
  const std::pair<const char*, std::pair<Bytes, Bytes>> cases[] = {
      {"a fragment behind", {later(64, 8, false), later(72, 8, true)}},
      {"a last before", {later(128, 8, true), later(64, 8, false)}},
      {"another last", {later(64, 8, false), later(128, 8, false)}},
      {"another last before", {later(128, 8, false), later(64, 8, false)}},
  };
  for (const auto& [name, packets] : cases) {
    SCOPED_TRACE(name);
    Table table;
    EXPECT_EQ(table.add(packets.first).fate, Fate::hold);
    const auto outcome = table.add(packets.second);
    expect_dropped(outcome, DropReason::fragment_bad);
    EXPECT_THAT(outcome.released, ElementsAre(1));
    expect_dropped(table.add(first(64)), DropReason::fragment_bad);
  }
}

TEST(Reassembly, TimesOutFromTheFragmentThatCameFirst) {
  Table table;
  table.add(later(64, 8, true));
  table.now = 20'000;
  table.add(later(72, 8, true));
  table.add(later(64, 8, true, 2));
  table.now = 29'999;
  EXPECT_THAT(table.expire(), IsEmpty());
  table.now = 30'000;
  EXPECT_THAT(table.expire(), ElementsAre(ElementsAre(1, 2)));
  EXPECT_EQ(table.add(first(64)).released.size(), 0u);
  table.now = 50'000;
  EXPECT_THAT(table.expire(), ElementsAre(ElementsAre(3)));
  EXPECT_EQ(table.reassembly.held(), 0u);
}

// ---- limits ----

TEST(Reassembly, LimitsPackets) {
  Table table({.packets = 3});
  for (uint32_t id = 1; id <= 3; ++id)
    EXPECT_EQ(table.add(later(64, 8, true, id)).fate, Fate::hold);
  expect_dropped(table.add(later(64, 8, true, 4)), DropReason::fragment_too_many);
  expect_dropped(table.add(first(64, 4)), DropReason::fragment_too_many);
  EXPECT_THAT(table.add(first(64, 2)).released, ElementsAre(2)) << "those in work stay";
  table.add(later(72, 8, false, 2));
  EXPECT_EQ(table.add(later(64, 8, true, 4)).fate, Fate::hold) << "a complete one makes room";
}

TEST(Reassembly, LimitsFragmentsOfAPacket) {
  Table table({.fragments = 3});
  table.add(first(64));
  table.add(later(64, 8, true));
  table.add(later(72, 8, true));
  expect_dropped(table.add(later(80, 8, true)), DropReason::fragment_too_many);
  expect_dropped(table.add(later(88, 8, false)), DropReason::fragment_too_many);
}

TEST(Reassembly, LimitsWhatIsHeldOfAPacket) {
  Table table({.held_of_packet = 2});
  table.add(later(64, 8, true));
  table.add(later(72, 8, true));
  const auto outcome = table.add(later(80, 8, true));
  expect_dropped(outcome, DropReason::fragment_too_many);
  EXPECT_THAT(outcome.released, ElementsAre(1, 2));
  expect_dropped(table.add(first(64)), DropReason::fragment_too_many);
}

TEST(Reassembly, LimitsWhatIsHeldOfAll) {
  Table table({.held = 2});
  table.add(later(64, 8, true, 1));
  table.add(later(64, 8, true, 2));
  expect_dropped(table.add(later(64, 8, true, 3)), DropReason::fragment_too_many);
  table.add(first(64, 1));
  EXPECT_EQ(table.add(later(64, 8, true, 4)).fate, Fate::hold);
}

TEST(Reassembly, LimitsOfZeroDropEverything) {
  Table table({.packets = 0});
  expect_dropped(table.add(first(64)), DropReason::fragment_too_many);
}

TEST(Reassembly, ClearGivesEverythingBack) {
  Table table;
  table.add(later(64, 8, true, 1));
  table.add(later(64, 8, true, 2));
  Reassembly::Released released;
  EXPECT_TRUE(table.reassembly.clear(released));
  EXPECT_THAT(released.all(), ElementsAre(1));
  EXPECT_TRUE(table.reassembly.clear(released));
  EXPECT_THAT(released.all(), ElementsAre(2));
  EXPECT_FALSE(table.reassembly.clear(released));
  EXPECT_EQ(table.reassembly.packets(), 0u);
}

// In every order of four fragments, each goes on exactly once, and with the ports.
TEST(Reassembly, AnyOrder) {
  const auto parts = testing::fragments(v4().tcp(1000, 80).payload(200).build(), 64);
  std::array<size_t, 4> order{0, 1, 2, 3};
  ASSERT_EQ(parts.size(), order.size());
  do {
    Table table;
    std::map<uint64_t, int> forwarded;
    for (const size_t i : order) {
      const auto outcome = table.add(parts[i]);
      ASSERT_NE(outcome.fate, Fate::drop);
      if (outcome.fate != Fate::forward) continue;
      expect_forwarded(outcome, 1000, 80);
      ++forwarded[table.handles];
      for (const auto handle : outcome.released) ++forwarded[handle];
    }
    EXPECT_THAT(forwarded,
                ElementsAre(std::pair(1, 1), std::pair(2, 1), std::pair(3, 1), std::pair(4, 1)));
    EXPECT_EQ(table.reassembly.packets(), 0u);
  } while (std::ranges::next_permutation(order).found);
}

// Whatever comes, in small limits: a held handle comes back exactly once.
TEST(Reassembly, EveryHandleComesBackOnce) {
  std::mt19937 random(4);
  Table table({.packets = 5, .fragments = 6, .held = 7, .held_of_packet = 4, .timeout_ms = 50});
  std::map<uint64_t, int> held;
  const auto back = [&](const std::vector<uint64_t>& handles) {
    for (const auto handle : handles) ASSERT_EQ(held.erase(handle), 1u) << handle;
  };
  for (int round = 0; round < 50'000; ++round) {
    table.now += random() % 3;
    for (const auto& handles : table.expire()) back(handles);
    const auto id = static_cast<uint32_t>(random() % 8);
    const auto offset = static_cast<uint16_t>(random() % 6 * 8);
    const auto outcome =
        offset == 0 ? table.add(first(8 + random() % 2 * 8, id))
                    : table.add(later(offset, 8 + random() % 2 * 8, random() % 4 != 0, id));
    if (outcome.fate == Fate::hold) held[table.handles] = 1;
    back(outcome.released);
    ASSERT_EQ(held.size(), table.reassembly.held());
    ASSERT_LE(table.reassembly.packets(), 5u);
  }
  table.now += 50;
  for (const auto& handles : table.expire()) back(handles);
  EXPECT_THAT(held, IsEmpty());
}

}  // namespace
}  // namespace margay::vector
