#include "dataplane/iptables/table.h"

#include <gmock/gmock.h>

#include "dataplane/iptables/fake_commands.h"

namespace margay::dataplane::iptables {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class TableTest : public testing::Test {
 protected:
  TableTest() {
    kernel()["FORWARD"] = {"-i docker0 -j ACCEPT"};
    kernel()["INPUT"];
  }
  FakeCommands::Table& kernel() { return commands_.tables[{policy::IPFamily::v4, "filter"}]; }
  Table make() { return Table(policy::IPFamily::v4, "filter", commands_); }
  static Chain chain(const std::string& name, const std::string& protocol) {
    return {name, {{"-p " + protocol, "-j DROP"}}};
  }
  void fill(Table& table) {
    table.set_chain(chain("cali-a", "6"));
    table.set_chain(chain("cali-b", "17"));
    table.set_insertions({"FORWARD", {{"", "-j cali-a"}}});
  }

  FakeCommands commands_;
};

TEST_F(TableTest, WritesItsChainsAndStandsFirstInTheKernels) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(kernel()["cali-a"], ElementsAre(HasSubstr("-p 6 -j DROP")));
  EXPECT_THAT(kernel()["FORWARD"], ElementsAre(HasSubstr("-j cali-a"), "-i docker0 -j ACCEPT"));
}

TEST_F(TableTest, WritesNothingWhenNothingChanged) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  commands_.restored.clear();
  table.set_chain(chain("cali-a", "6"));
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(commands_.restored, IsEmpty());
}

TEST_F(TableTest, WritesNothingWhenItStartsOverItsOwnState) {
  auto before = make();
  fill(before);
  ASSERT_TRUE(before.apply());
  commands_.restored.clear();
  auto after = make();
  fill(after);
  ASSERT_TRUE(after.apply());
  EXPECT_THAT(commands_.restored, IsEmpty());
}

TEST_F(TableTest, WritesOnlyTheChainThatChanged) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  commands_.restored.clear();
  const size_t saves = commands_.saves;
  table.set_chain(chain("cali-b", "132"));
  ASSERT_TRUE(table.apply());
  ASSERT_THAT(commands_.restored, SizeIs(1));
  EXPECT_THAT(commands_.restored[0], HasSubstr("-A cali-b "));
  EXPECT_THAT(commands_.restored[0], Not(HasSubstr("cali-a")));
  EXPECT_EQ(commands_.saves, saves);
}

TEST_F(TableTest, RemovesChainsThatAreNoLongerWanted) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  table.remove_chain("cali-b");
  ASSERT_TRUE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-b"));
}

TEST_F(TableTest, SweepsWhatAnEarlierRunLeft) {
  kernel()["cali-old"] = {"-j DROP"};
  kernel()["INPUT"] = {"-m comment --comment \"cali:oldoldoldoldoldo\" -j cali-old", "-j ACCEPT"};
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-old"));
  EXPECT_THAT(kernel()["INPUT"], ElementsAre("-j ACCEPT"));
}

TEST_F(TableTest, RepairsAfterResyncWhatOthersChanged) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  const auto good = kernel();
  kernel()["cali-a"].clear();
  kernel().erase("cali-b");
  auto& forward = kernel()["FORWARD"];
  std::ranges::rotate(forward, forward.begin() + 1);
  table.resync();
  ASSERT_TRUE(table.apply());
  EXPECT_EQ(kernel(), good);
}

TEST_F(TableTest, ReadsAgainWhenTheKernelIsNotAsKnown) {
  auto table = make();
  fill(table);
  ASSERT_TRUE(table.apply());
  kernel().erase("cali-b");
  table.remove_chain("cali-b");
  commands_.fail_restore = base::Error{base::ErrorCode::internal, "no such chain", {}};
  EXPECT_TRUE(table.apply());
}

TEST_F(TableTest, KeepsWhatFailedForTheNextTime) {
  auto table = make();
  fill(table);
  commands_.fail_restore = base::Error{base::ErrorCode::unavailable, "locked", {}};
  EXPECT_FALSE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-a"));
  EXPECT_TRUE(table.apply());
  EXPECT_TRUE(kernel().contains("cali-a"));
}

TEST_F(TableTest, SaysWhenTheKernelDoesNotHoldWhatWasWritten) {
  auto table = make();
  fill(table);
  commands_.ignore_restore = true;
  const auto applied = table.apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, base::ErrorCode::conflict);
  commands_.ignore_restore = false;
  EXPECT_TRUE(table.apply());
  EXPECT_TRUE(kernel().contains("cali-a"));
}

}  // namespace
}  // namespace margay::dataplane::iptables
