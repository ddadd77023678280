#include "ctl/node_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace margay::ctl {
namespace {

constexpr const char* k_answer =
    "0001 BIRD 1.6.8 ready.\n"
    "2002-name     proto    table    state  since       info\n"
    "1002-kernel1  Kernel   master   up     2016-11-21  \n"
    " device1  Device   master   up     2016-11-21  \n"
    " Mesh_172_17_8_102 BGP      master   up     2016-11-21  Established   \n"
    " Global_10_0_0_1 BGP      master   start     10:04:11  Active        Socket: Connection "
    "refused\n"
    " other BGP      master   up     2016-11-21  Established   \n"
    "0000 \n";

TEST(NodeStatus, SessionsAreReadFromBirdsTable) {
  const auto sessions = parse_bird_protocols(k_answer, false);
  ASSERT_TRUE(sessions) << sessions.error().message;
  EXPECT_THAT(*sessions, testing::ElementsAre(BgpSession{"172.17.8.102", "node-to-node mesh", "up",
                                                         "2016-11-21", "Established"},
                                              BgpSession{"10.0.0.1", "global", "start", "10:04:11",
                                                         "Active Socket: Connection refused"}));
}

TEST(NodeStatus, Version2WritesItsHeadingsOtherwise) {
  const auto sessions = parse_bird_protocols(
      "0001 BIRD 2.0.12 ready.\n2002-Name Proto Table State Since Info\n"
      "1002-Node_fd80__1 BGP --- up 10:00:00 Established\n0000\n",
      true);
  ASSERT_TRUE(sessions) << sessions.error().message;
  ASSERT_EQ(sessions->size(), 1);
  EXPECT_EQ(sessions->front().address, "fd80::1");
  EXPECT_EQ(sessions->front().type, "node specific");
}

TEST(NodeStatus, AnotherAnswerIsAnError) {
  EXPECT_FALSE(parse_bird_protocols("9001 syntax error\n", false));
  EXPECT_FALSE(parse_bird_protocols("2002-name proto other\n0000\n", false));
  EXPECT_FALSE(ask_bird("/no/such/socket", "show protocols"));
}

}  // namespace
}  // namespace margay::ctl
