#include "vector/parse/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string_view>

#include "vector/parse/crc32c.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::PacketBuilder;

// RFC 1071 section 3: the example's sum is ddf2.
TEST(Checksum, OfTheExampleInRfc1071) {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(big_endian(fold(ones_sum(bytes.data(), bytes.size()))), 0xddf2);
  EXPECT_EQ(big_endian(checksum(ones_sum(bytes.data(), bytes.size()))), 0x220d);
}

// Every length, against a sum byte by byte.
TEST(Checksum, OfAnyLength) {
  std::mt19937 random(1);
  Bytes bytes(300);
  for (auto& each : bytes) each = static_cast<uint8_t>(random());
  uint64_t expected = 0;
  for (size_t length = 0; length <= bytes.size(); ++length) {
    uint64_t folded = expected;
    while (folded >> 16) folded = (folded & 0xffff) + (folded >> 16);
    EXPECT_EQ(big_endian(fold(ones_sum(bytes.data(), length))), folded) << length;
    if (length < bytes.size()) expected += uint64_t{bytes[length]} << (length % 2 == 0 ? 8 : 0);
  }
}

// Carries may make carries, three times.
TEST(Checksum, FoldsAnySum) {
  for (const uint64_t sum : {uint64_t{0xffff'ffff'0001'0000}, UINT64_MAX, uint64_t{0x1'0000},
                             uint64_t{0x1'0000'ffff}, uint64_t{0xfffe'ffff'ffff'ffff}}) {
    EXPECT_EQ(fold(sum), sum % 0xffff == 0 ? 0xffff : sum % 0xffff) << sum;
  }
  EXPECT_EQ(fold(0), 0);
}

TEST(Checksum, CarriesOfTheLongestPacket) {
  const Bytes ones(65536, 0xff);
  EXPECT_EQ(fold(ones_sum(ones.data(), ones.size())), 0xffff);
}

TEST(Checksum, OfSegmentsIsWhatThePacketBuilderSays) {
  const std::tuple<uint8_t, size_t, Bytes> cases[] = {
      {6, 16, PacketBuilder().ipv4("10.1.2.3", "10.3.2.1").tcp(1, 2).payload(33).build()},
      {17, 6, PacketBuilder().ipv4("10.1.2.3", "10.3.2.1").udp(1, 2).payload(32).build()},
      {1, 2, PacketBuilder().ipv4("10.1.2.3", "10.3.2.1").echo(false, 9).payload(7).build()},
      {6, 16, PacketBuilder().ipv6("fd00::1", "fd00::2").tcp(1, 2).payload(33).build()},
      {17, 6, PacketBuilder().ipv6("fd00::1", "fd00::2").udp(1, 2).payload(32).build()},
      {58, 2, PacketBuilder().ipv6("fd00::1", "fd00::2").echo(false, 9).payload(7).build()},
  };
  for (auto [proto, field, packet] : cases) {
    const uint8_t family = packet[0] >> 4;
    const size_t header = family == 4 ? 20 : 40;
    uint8_t* segment = packet.data() + header;
    const size_t length = packet.size() - header;
    EXPECT_TRUE(transport_checksum_right(packet.data(), family, proto, segment, length));
    const auto expected = load<uint16_t>(segment + field);
    store(segment + field, uint16_t{0});
    EXPECT_EQ(transport_checksum(packet.data(), family, proto, segment, length), expected);
    segment[0] ^= 1;
    store(segment + field, expected);
    EXPECT_FALSE(transport_checksum_right(packet.data(), family, proto, segment, length));
  }
}

// A computed zero becomes 0xffff in UDP, and stays in TCP.
TEST(Checksum, ZeroIsNotNone) {
  auto udp = PacketBuilder().ipv4("10.1.2.3", "10.3.2.1").udp(0, 2).checksum(0).build();
  const auto rest =
      checksum(ones_sum(&udp[20], 8, pseudo_header_sum(udp.data(), 4, protocol::k_udp, 8)));
  store(&udp[20], rest);  // the source port that makes the sum 0xffff
  EXPECT_EQ(transport_checksum(udp.data(), 4, protocol::k_udp, &udp[20], 8), 0xffff);
  EXPECT_TRUE(transport_checksum_right(udp.data(), 4, protocol::k_udp, &udp[20], 8));  // none
  EXPECT_EQ(checksum(0xffff), 0);
}

// RFC 1624 section 4: HC = dd2f, m = 5555, m' = 3285 gives 0000, where equation 2 would give ffff.
TEST(ChecksumDelta, TheExampleInRfc1624) {
  EXPECT_EQ(adjusted(0xdd2f, ChecksumDelta::of16(0x5555, 0x3285)), 0x0000);
}

TEST(ChecksumDelta, MinusZeroChangesNothing) {
  for (const uint16_t check : std::array<uint16_t, 4>{0x0000, 0x0001, 0x1234, 0xfffe}) {
    EXPECT_EQ(adjusted(check, {0x0000}), check);
    EXPECT_EQ(adjusted(check, {0xffff}), check);
  }
}

// For any bytes: the checksum that follows is the one computed anew, and the complement undoes it.
TEST(ChecksumDelta, FollowsAnyChange) {
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    std::array<uint16_t, 10> words;
    for (auto& each : words) {
      constexpr std::array<uint16_t, 4> k_corners{0, 0xffff, 1, 0xfffe};
      each = random() % 2 ? static_cast<uint16_t>(random()) : k_corners[random() % 4];
    }
    words[9] |= 1;  // no header is all zeroes
    auto* bytes = reinterpret_cast<uint8_t*>(words.data());
    const auto before = checksum(ones_sum(bytes, 20));
    const std::array<uint16_t, 8> old_words{words[0], words[1], words[2], words[3],
                                            words[4], words[5], words[6], words[7]};
    for (size_t i = 0; i < 8; ++i) words[i] = static_cast<uint16_t>(random() % 3 ? random() : 0);
    const auto delta = ChecksumDelta::of(old_words.data(), words.data(), 16);
    ASSERT_EQ(adjusted(before, delta), checksum(ones_sum(bytes, 20)));
    ASSERT_EQ(adjusted(checksum(ones_sum(bytes, 20)), ~delta), before);
  }
}

TEST(ChecksumDelta, UdpKeepsNoneAndNeverMakesIt) {
  std::array<uint8_t, 2> field;
  for (uint32_t check = 0; check <= 0xffff; ++check) {
    for (const uint16_t delta : std::array<uint16_t, 5>{0x0000, 0x0001, 0x8000, 0xfffe, 0xffff}) {
      store(field.data(), static_cast<uint16_t>(check));
      adjust_udp_checksum(field.data(), {delta});
      ASSERT_EQ(load<uint16_t>(field.data()) == 0, check == 0) << check << ' ' << delta;
    }
  }
}

// RFC 3720 appendix B.4 has CRC32c's examples.
TEST(Crc32c, TheExamplesInRfc3720) {
  const auto crc = [](const Bytes& bytes) {
    return ~crc32c_update(~uint32_t{0}, bytes.data(), bytes.size());
  };
  EXPECT_EQ(crc(Bytes(32, 0)), 0x8a9136aau);
  EXPECT_EQ(crc(Bytes(32, 0xff)), 0x62a8ab43u);
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc(Bytes(digits.begin(), digits.end())), 0xe3069283u);
}

TEST(Crc32c, OfAnSctpPacket) {
  for (const size_t payload : {0u, 1u, 4u, 250u, 256u, 257u, 1400u}) {
    auto packet = PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").sctp(1, 2).payload(payload).build();
    const size_t bytes = packet.size() - 20;
    EXPECT_EQ(sctp_crc(&packet[20], bytes), load<uint32_t>(&packet[28])) << payload;
    const auto other =
        PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").sctp(3, 40000).payload(payload).build();
    const auto difference = load<uint32_t>(&packet[20]) ^ load<uint32_t>(&other[20]);
    EXPECT_EQ(load<uint32_t>(&packet[28]) ^ crc32c_of_first_word(difference, bytes),
              load<uint32_t>(&other[28]))
        << payload;
  }
}

}  // namespace
}  // namespace margay::vector
