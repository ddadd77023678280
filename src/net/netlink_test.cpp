#include "net/netlink.h"

#include <gtest/gtest.h>

#include "net/link.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

constexpr uint16_t k_text = 1, k_number = 2, k_nest = 3, k_inner = 4, k_absent = 5;

Message sample() {
  Message message(16, 0);
  message.put_header(uint32_t{7});
  message.put(k_text, "abc");
  message.put_u16(k_number, 500);
  message.nest(k_nest, [&] { message.put_u8(k_inner, 9); });
  return message;
}

TEST(Attributes, ReadBackWhatAMessageWasGiven) {
  Message message = sample();
  ASSERT_NE(header_of<uint32_t>(message.start()), nullptr);
  EXPECT_EQ(*header_of<uint32_t>(message.start()), 7U);
  const Attributes attributes(message.start(), sizeof(uint32_t));
  EXPECT_EQ(attributes.text(k_text), "abc");
  EXPECT_EQ(attributes.u16(k_number), 500);
  EXPECT_EQ(attributes.nested(k_nest).u8(k_inner), 9);
  EXPECT_FALSE(attributes.has(k_absent));
  EXPECT_EQ(attributes.u32(k_number), std::nullopt) << "too short for what is asked";
}

TEST(Attributes, OfACutMessageAreThoseThatAreWhole) {
  Message message = sample();
  const uint32_t whole = message.start().nlmsg_len;
  for (uint32_t length = 0; length < whole; ++length) {
    message.start().nlmsg_len = length;
    const Attributes attributes(message.start(), sizeof(uint32_t));
    EXPECT_FALSE(attributes.nested(k_nest).has(k_inner)) << length;
  }
}

TEST(Message, ThrowsWhenItIsFull) {
  Message message(16, 0);
  EXPECT_THROW(message.put(k_text, std::string(5000, 'x')), std::length_error);
}

TEST(NetlinkSocket, WaitsForAnAnswerAsLongAsItIsTold) {
  auto socket = NetlinkSocket::open();
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->set_answer_timeout(std::chrono::milliseconds(50)));
  Message unanswered(NLMSG_NOOP, 0);
  const auto asked = socket->query(unanswered, "say nothing", [](const nlmsghdr&) {});
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, base::ErrorCode::timeout) << asked.error().message;
  EXPECT_TRUE(list_links(*socket)) << "and goes on with the next";
}

TEST(NetlinkSocket, StaysInTheNamespaceItWasOpenedIn) {
  if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
  const testing::ScratchNamespace scratch;
  NetlinkSocket inside = scratch.socket();
  ASSERT_TRUE(create_bridge(inside, "only-inside"));
  EXPECT_TRUE(get_link(inside, "only-inside"));
  auto outside = NetlinkSocket::open();
  ASSERT_TRUE(outside);
  EXPECT_FALSE(get_link(*outside, "only-inside"));
}

}  // namespace
}  // namespace margay::net
