#include "dataplane/iptables/table_group.h"

#include <gmock/gmock.h>

#include "dataplane/iptables/fake_commands.h"

namespace margay::dataplane::iptables {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// A table that is in a group by itself.
struct OneTable {
  explicit OneTable(Commands& commands) : group(policy::IPFamily::v4, {&table}, commands) {}
  OneTable(const OneTable&) = delete;
  OneTable& operator=(const OneTable&) = delete;

  void set_chain(const Chain& chain) { table.set_chain(chain); }
  void remove_chain(const std::string& name) { table.remove_chain(name); }
  base::Result<> apply() { return group.apply(); }
  void resync() { group.forget(); }

  Table table{"filter"};
  TableGroup group;
};

class TableTest : public testing::Test {
 protected:
  TableTest() {
    kernel()["FORWARD"] = {"-i docker0 -j ACCEPT"};
    kernel()["INPUT"];
  }
  FakeCommands::Table& kernel() { return commands_.tables[{policy::IPFamily::v4, "filter"}]; }
  static Chain chain(const std::string& name, const std::string& protocol) {
    return {name, {{"-p " + protocol, "-j DROP"}}};
  }
  void fill(OneTable& one) {
    one.set_chain(chain("cali-a", "6"));
    one.set_chain(chain("cali-b", "17"));
    one.table.set_insertions({"FORWARD", {{"", "-j cali-a"}}});
  }

  FakeCommands commands_;
};

TEST_F(TableTest, WritesItsChainsAndStandsFirstInTheKernels) {
  OneTable table(commands_);
  fill(table);
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(kernel()["cali-a"], ElementsAre(HasSubstr("-p 6 -j DROP")));
  EXPECT_THAT(kernel()["FORWARD"], ElementsAre(HasSubstr("-j cali-a"), "-i docker0 -j ACCEPT"));
}

TEST_F(TableTest, WritesNothingWhenNothingChanged) {
  OneTable table(commands_);
  fill(table);
  ASSERT_TRUE(table.apply());
  commands_.restored.clear();
  table.set_chain(chain("cali-a", "6"));
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(commands_.restored, IsEmpty());
}

TEST_F(TableTest, WritesNothingWhenItStartsOverItsOwnState) {
  OneTable before(commands_);
  fill(before);
  ASSERT_TRUE(before.apply());
  commands_.restored.clear();
  OneTable after(commands_);
  fill(after);
  ASSERT_TRUE(after.apply());
  EXPECT_THAT(commands_.restored, IsEmpty());
}

TEST_F(TableTest, WritesOnlyTheChainThatChanged) {
  OneTable table(commands_);
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
  OneTable table(commands_);
  fill(table);
  ASSERT_TRUE(table.apply());
  table.remove_chain("cali-b");
  ASSERT_TRUE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-b"));
}

TEST_F(TableTest, SweepsWhatAnEarlierRunLeft) {
  kernel()["cali-old"] = {"-j DROP"};
  kernel()["INPUT"] = {"-m comment --comment \"cali:oldoldoldoldoldo\" -j cali-old", "-j ACCEPT"};
  OneTable table(commands_);
  fill(table);
  ASSERT_TRUE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-old"));
  EXPECT_THAT(kernel()["INPUT"], ElementsAre("-j ACCEPT"));
}

TEST_F(TableTest, RepairsAfterResyncWhatOthersChanged) {
  OneTable table(commands_);
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
  OneTable table(commands_);
  fill(table);
  ASSERT_TRUE(table.apply());
  kernel().erase("cali-b");
  table.remove_chain("cali-b");
  commands_.fail_restore = base::Error{base::ErrorCode::internal, "no such chain", {}};
  EXPECT_TRUE(table.apply());
}

TEST_F(TableTest, KeepsWhatFailedForTheNextTime) {
  OneTable table(commands_);
  fill(table);
  commands_.refused_rules = {"*filter"};
  EXPECT_FALSE(table.apply());
  EXPECT_FALSE(kernel().contains("cali-a"));
  commands_.refused_rules.clear();
  EXPECT_TRUE(table.apply());
  EXPECT_TRUE(kernel().contains("cali-a"));
}

TEST_F(TableTest, SaysWhenTheKernelDoesNotHoldWhatWasWritten) {
  OneTable table(commands_);
  fill(table);
  commands_.ignore_restore = true;
  const auto applied = table.apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, base::ErrorCode::conflict);
  commands_.ignore_restore = false;
  EXPECT_TRUE(table.apply());
  EXPECT_TRUE(kernel().contains("cali-a"));
}

// ---- chains that the kernel refuses ----

class RefusedChainsTest : public TableTest {
 protected:
  static Chain rules(int number, bool refused = false) {
    Chain made{"cali-pi-" + std::to_string(number), {}, true};
    for (int i = 0; i < 5; ++i)
      made.rules.push_back({"-p 6 -m multiport --dports " + std::to_string(100 * number + i),
                            i == 3 && refused ? "-j NONSENSE" : "-j DROP"});
    return made;
  }
  // A hundred chains, some with a rule that is refused.
  void fill_hundred(OneTable& one, const std::set<int>& refused) {
    fill(one);
    commands_.refused_rules = {"NONSENSE"};
    for (int i = 0; i < 100; ++i) one.set_chain(rules(i, refused.contains(i)));
  }
};

TEST_F(RefusedChainsTest, DropEveryPacketAndTheOthersAreWritten) {
  OneTable table(commands_);
  fill_hundred(table, {17, 42, 99});
  ASSERT_TRUE(table.apply());
  for (int i = 0; i < 100; ++i) {
    const auto& chain = kernel()["cali-pi-" + std::to_string(i)];
    if (i == 17 || i == 42 || i == 99) {
      EXPECT_THAT(chain, ElementsAre(testing::EndsWith("-j DROP"))) << i;
    } else {
      EXPECT_THAT(chain, SizeIs(5)) << i;
    }
  }
  EXPECT_THAT(kernel()["FORWARD"], ElementsAre(HasSubstr("-j cali-a"), "-i docker0 -j ACCEPT"));
  EXPECT_FALSE(kernel().contains(k_trial_chain));
}

TEST_F(RefusedChainsTest, AreNamedWithTheRule) {
  OneTable table(commands_);
  fill_hundred(table, {42});
  ASSERT_TRUE(table.apply());
  ASSERT_THAT(table.table.refused(), SizeIs(1));
  const auto& [name, refused] = *table.table.refused().begin();
  EXPECT_EQ(name, "cali-pi-42");
  EXPECT_THAT(refused.rule, HasSubstr("--dports 4203 -j NONSENSE"));
  EXPECT_THAT(refused.reason, HasSubstr("COMMIT failed"));
}

TEST_F(RefusedChainsTest, WhatIsWrittenBesideThemIsReadBack) {
  OneTable table(commands_);
  fill_hundred(table, {42});
  commands_.forgotten = "FORWARD";  // which no trial names
  const auto applied = table.apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, base::ErrorCode::conflict);
  commands_.forgotten.clear();
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(kernel()["cali-pi-41"], SizeIs(5));
}

TEST_F(RefusedChainsTest, AreFoundInFewTrials) {
  OneTable table(commands_);
  fill_hundred(table, {42});
  ASSERT_TRUE(table.apply());
  EXPECT_LE(commands_.restored.size(), 30U);
}

TEST_F(RefusedChainsTest, AreNotTriedAgainBeforeAResync) {
  OneTable table(commands_);
  fill_hundred(table, {42});
  ASSERT_TRUE(table.apply());
  commands_.restored.clear();
  ASSERT_TRUE(table.apply());
  table.set_chain(chain("cali-b", "132"));
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(commands_.restored, SizeIs(1));
  commands_.refused_rules.clear();
  table.resync();
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(kernel()["cali-pi-42"], SizeIs(5));
  EXPECT_THAT(table.table.refused(), IsEmpty());
}

TEST_F(RefusedChainsTest, AreWrittenWhenTheirRulesAreMended) {
  OneTable table(commands_);
  fill_hundred(table, {42});
  ASSERT_TRUE(table.apply());
  table.set_chain(rules(42));
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(kernel()["cali-pi-42"], SizeIs(5));
  EXPECT_THAT(table.table.refused(), IsEmpty());
}

TEST_F(RefusedChainsTest, DoNotMatterWhereAChainIsRefusedThatOthersNeed) {
  OneTable table(commands_);
  fill(table);
  commands_.refused_rules = {"NONSENSE"};
  table.set_chain({"cali-FORWARD", {{"", "-j NONSENSE"}}});
  EXPECT_FALSE(table.apply());
  EXPECT_THAT(table.table.refused(), IsEmpty());
}

TEST_F(RefusedChainsTest, AreNotGuessedWhenTheKernelTakesNothing) {
  OneTable table(commands_);
  fill_hundred(table, {});
  commands_.refused_rules = {"*filter"};
  EXPECT_FALSE(table.apply());
  EXPECT_THAT(table.table.refused(), IsEmpty());
}

TEST_F(RefusedChainsTest, AreSoManyAtMostThatTheSearchEnds) {
  OneTable table(commands_);
  std::set<int> all;
  for (int i = 0; i < 100; ++i) all.insert(i);
  fill_hundred(table, all);
  ASSERT_TRUE(table.apply());
  EXPECT_THAT(table.table.refused(), SizeIs(100));
  EXPECT_LE(commands_.restored.size(), 1200U);
}

// Chains of which others are refused, more than a search finds, are written in the end.
TEST_F(RefusedChainsTest, DoNotKeepOthersClosedForEver) {
  OneTable table(commands_);
  fill_hundred(table, {});
  for (int i = 0; i < 100; ++i) table.set_chain(rules(i, i % 2 == 0));
  for (int i = 100; i < 200; ++i) table.set_chain(rules(i, true));
  ASSERT_TRUE(table.apply());
  EXPECT_GT(table.table.refused().size(), 150U) << "one search finds them all: this says nothing";
  for (int refresh = 0; refresh < 4; ++refresh) {
    table.resync();
    ASSERT_TRUE(table.apply());
  }
  EXPECT_THAT(table.table.refused(), SizeIs(150));
  for (int i = 1; i < 100; i += 2)
    EXPECT_THAT(kernel()["cali-pi-" + std::to_string(i)], SizeIs(5)) << i;
}

TEST(SavedTables, ARuleIsOursByWhatItDoesAndNotByWhatOthersWriteIntoIt) {
  const auto saved = parse_saved_tables(
      "*filter\n:INPUT ACCEPT [0:0]\n"
      "-A INPUT -m comment --comment \"stands behind -j cali-INPUT\" -j DROP\n"
      "-A INPUT -m comment --comment \"a \\\" -g cali-x\" -j DROP\n"
      "-A INPUT -m comment --comment \"mine\" -j cali-INPUT\nCOMMIT\n");
  std::vector<bool> ours;
  for (const auto& rule : saved.at("filter").chains.at("INPUT")) ours.push_back(rule.jumps_to_ours);
  EXPECT_EQ(ours, (std::vector<bool>{false, false, true}));
}

TEST(Quoted, IsOneArgumentWhateverTheText) {
  EXPECT_EQ(quoted("plain text"), R"("plain text")");
  EXPECT_EQ(quoted(R"(a "b" \ c)"), R"("a \"b\" \\ c")");
  EXPECT_EQ(quoted("two\nlines\t\x7f"), R"("twolines")");
}

}  // namespace
}  // namespace margay::dataplane::iptables
