#include "vector/control/frame_text.h"

#include <gtest/gtest.h>

#include "vector/control/flow_filter.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;

Bytes frame_of(const char* hex_after_macs) {
  Bytes frame(12, 2);
  for (const char* at = hex_after_macs; *at;) {
    while (*at == ' ') ++at;
    if (!*at) break;
    frame.push_back(static_cast<uint8_t>(std::stoi(std::string(at, 2), nullptr, 16)));
    at += 2;
  }
  return frame;
}

constexpr const char* k_syn4 =
    "0800 4500002800004000 40060000 0a410001 0a410002 0fa0 0050 00000000 00000000 5002 ffff "
    "00000000";
constexpr const char* k_udp6 =
    "86dd 60000000 0008 11 40 fd000000000000000000000000000001 fd000000000000000000000000000002"
    " 0fa0 0035 0008 0000";

TEST(FrameText, NamesFlows) {
  EXPECT_EQ(frame_text(frame_of(k_syn4)), "TCP 10.65.0.1:4000 > 10.65.0.2:80 [S]");
  EXPECT_EQ(frame_text(frame_of(k_udp6)), "UDP [fd00::1]:4000 > [fd00::2]:53");
}

TEST(FrameText, OfWhatHasNoPorts) {
  EXPECT_EQ(frame_text(frame_of("0806 00")), "ARP");
  EXPECT_EQ(frame_text(frame_of("88cc 00")), "Ethernet type 0x88cc");
  EXPECT_EQ(
      frame_text(frame_of("0800 4500001c00002001 40110000 0a410001 0a410002 0102030405060708")),
      "UDP 10.65.0.1 > 10.65.0.2 later fragment");
  EXPECT_EQ(frame_text(frame_of("0800 4500001c00000000 402f0000 0a410001 0a410002 00000000")),
            "47 10.65.0.1 > 10.65.0.2");
}

// However short the frame is, nothing behind it is read (the sanitizers' builds tell).
TEST(FrameText, OfFramesThatAreCutOff) {
  for (const char* whole : {k_syn4, k_udp6}) {
    const Bytes frame = frame_of(whole);
    for (size_t length = 0; length <= frame.size(); ++length) {
      const Bytes part(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_FALSE(frame_text(part).empty()) << length;
    }
  }
}

TEST(FlowFilter, AsksAboutBothEnds) {
  const auto frame = frame_of(k_syn4);
  const auto found = flow_of(frame);
  ASSERT_TRUE(found);
  const auto accepts = [&](const char* from, const char* to, std::optional<uint16_t> port = {}) {
    FlowFilter filter{.from = {}, .to = {}, .port = port};
    if (*from) filter.from = *base::Prefix::parse(from);
    if (*to) filter.to = *base::Prefix::parse(to);
    return filter.accepts(found->ends);
  };
  EXPECT_TRUE(accepts("", ""));
  EXPECT_TRUE(accepts("10.65.0.1", "10.65.0.0/24"));
  EXPECT_FALSE(accepts("10.65.0.2", ""));
  EXPECT_FALSE(accepts("", "10.65.0.1"));
  EXPECT_FALSE(accepts("fd00::/8", ""));
  EXPECT_TRUE(accepts("10.65.0.1", "", 80));
  EXPECT_TRUE(accepts("", "", 4000));
  EXPECT_FALSE(accepts("", "", 81));
  EXPECT_FALSE(accepts("10.65.0.2", "", 80));
}

TEST(FlowFilter, WhatHasNoPortsIsOnNone) {
  const auto later = frame_of("0800 4500001c00002001 40110000 0a410001 0a410002 0102030405060708");
  ASSERT_TRUE(flow_of(later));
  EXPECT_FALSE(flow_of(later)->ends.ports);
  EXPECT_FALSE((FlowFilter{.from = {}, .to = {}, .port = 0x0102}.accepts(flow_of(later)->ends)));
}

}  // namespace
}  // namespace margay::vector
