#include "dataplane/iptables/ip_sets.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "dataplane/iptables/fake_commands.h"

namespace margay::dataplane::iptables {
namespace {

using policy::IPFamily;
using policy::SetMember;
using policy::SetType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

SetMember net(const char* text) { return {.net = *policy::Prefix::parse(text)}; }

class IPSetsTest : public testing::Test {
 protected:
  IPSets make(IPFamily family = IPFamily::v4) { return IPSets(family, commands_, max_size_); }
  const std::set<std::string>& members(const std::string& name) {
    return commands_.sets[name].members;
  }

  FakeCommands commands_;
  size_t max_size_ = 1'048'576;
};

TEST_F(IPSetsTest, HoldOnlyTheirFamily) {
  auto v4 = make(), v6 = make(IPFamily::v6);
  for (auto* sets : {&v4, &v6}) {
    sets->set("s:a", SetType::nets, {net("10.0.0.0/8"), net("fd00::1")});
    ASSERT_TRUE(sets->apply_updates());
  }
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(members("cali60s:a"), ElementsAre("fd00::1/128"));
  EXPECT_THAT(commands_.sets["cali60s:a"].type, "hash:net family inet6 maxelem 1048576");
}

TEST_F(IPSetsTest, ThatHaveNoPlaceAreRefusedTogether) {
  commands_.most_sets = 100;
  auto sets = make();
  for (int i = 0; i < 1'000; ++i)
    sets.set(fmt::format("s:{:04}", i), SetType::nets, {net("10.0.0.1")});
  EXPECT_FALSE(sets.apply_updates());
  EXPECT_THAT(sets.refused(), testing::SizeIs(900));
  EXPECT_THAT(commands_.restored_sets, testing::SizeIs(1));
  sets.change("s:0000", {net("10.0.0.2")}, {});
  EXPECT_FALSE(sets.apply_updates());
  EXPECT_THAT(members("cali40s:0000"), ElementsAre("10.0.0.1/32", "10.0.0.2/32"));
  commands_.most_sets = 1'000;
  EXPECT_TRUE(sets.apply_updates());
  EXPECT_THAT(sets.refused(), IsEmpty());
}

TEST_F(IPSetsTest, OfWhichManyFailAreGivenUpAfterAFewRounds) {
  auto sets = make();
  for (int i = 0; i < 1'000; ++i) {
    const auto id = fmt::format("s:{:04}", i);
    sets.set(id, SetType::nets, {net("10.0.0.1")});
    commands_.refused_sets.insert("cali40" + id);
  }
  sets.set("s:", SetType::nets, {net("10.0.0.1")});
  EXPECT_FALSE(sets.apply_updates());
  EXPECT_THAT(sets.refused(), testing::SizeIs(1'000));
  EXPECT_LT(commands_.restored_sets.size(), 20U);
  EXPECT_THAT(members("cali40s:"), ElementsAre("10.0.0.1/32"));
}

TEST_F(IPSetsTest, NamedPortsAreAddressProtocolPort) {
  auto sets = make();
  sets.set(
      "n:a", SetType::named_ports,
      {{*policy::Prefix::parse("10.0.0.1"), 132, 80}, {*policy::Prefix::parse("10.0.0.1"), 6, 80}});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(members("cali40n:a"), UnorderedElementsAre("10.0.0.1,sctp:80", "10.0.0.1,tcp:80"));
}

TEST_F(IPSetsTest, OfATypeThatIsNeverMadeStandInNobodysWay) {
  commands_.sets["cali40this-host"] = {"hash:ip family inet maxelem 1048576", {"192.0.2.1"}};
  commands_.sets["cali40s:a"] = {"hash:ip family inet maxelem 1048576", {"192.0.2.2"}};
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1")});
  const auto applied = sets.apply_updates();
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT(commands_.sets["cali40s:a"].type, "hash:net family inet maxelem 1048576");
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32"));
  ASSERT_TRUE(sets.apply_removals());
  EXPECT_FALSE(commands_.sets.contains("cali40this-host"));
}

TEST_F(IPSetsTest, WithAMemberThatNobodyCanReadAreWrittenAnew) {
  commands_.sets["cali40s:a"] = {"hash:net family inet maxelem 1048576",
                                 {"10.0.0.1/32", "10.0.0.0-10.0.0.9"}};
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1")});
  const auto applied = sets.apply_updates();
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32"));
}

TEST_F(IPSetsTest, ChangeByChangeOnlyWhatChangedIsTold) {
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  sets.change("s:a", {net("10.0.0.3")}, {net("10.0.0.1")});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_EQ(commands_.restored_sets.back(),
            "add cali40s:a 10.0.0.3/32\ndel cali40s:a 10.0.0.1/32\n");
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(commands_.restored_sets, testing::SizeIs(2));
}

TEST_F(IPSetsTest, AReplacedSetIsSwappedIn) {
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  sets.set("s:a", SetType::nets, {net("10.0.0.3"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(commands_.restored_sets.back(),
              HasSubstr("swap cali4t0 cali40s:a\ndestroy cali4t0\n"));
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.2/32", "10.0.0.3/32"));
  EXPECT_THAT(commands_.sets, ElementsAre(Key("cali40s:a")));
}

TEST_F(IPSetsTest, StartOverTheirOwnStateWithoutAWord) {
  auto before = make();
  before.set("s:a", SetType::nets, {net("10.0.0.0/8"), net("0.0.0.0/0")});
  before.set("n:a", SetType::named_ports, {{*policy::Prefix::parse("10.0.0.1"), 17, 53}});
  ASSERT_TRUE(before.apply_updates());
  commands_.restored_sets.clear();
  auto after = make();
  after.set("s:a", SetType::nets, {net("10.0.0.0/8"), net("0.0.0.0/0")});
  after.set("n:a", SetType::named_ports, {{*policy::Prefix::parse("10.0.0.1"), 17, 53}});
  ASSERT_TRUE(after.apply_updates());
  ASSERT_TRUE(after.apply_removals());
  EXPECT_THAT(commands_.restored_sets, IsEmpty());
}

TEST_F(IPSetsTest, RepairAfterResyncWhatOthersChanged) {
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  commands_.sets["cali40s:a"].members = {"10.0.0.2/32", "10.9.9.9/32"};
  sets.resync();
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32", "10.0.0.2/32"));
}

TEST_F(IPSetsTest, DestroyOnlyWhatIsTheirsAndNoLongerWanted) {
  commands_.sets["cali40s:old"] = {"hash:net family inet maxelem 1048576", {}};
  commands_.sets["cali60s:other"] = {"hash:net family inet6 maxelem 1048576", {}};
  commands_.sets["somebody"] = {"hash:ip family inet maxelem 10", {"10.0.0.1"}};
  auto sets = make();
  sets.set("s:a", SetType::nets, {});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_TRUE(commands_.sets.contains("cali40s:old"));
  ASSERT_TRUE(sets.apply_removals());
  EXPECT_THAT(commands_.sets,
              UnorderedElementsAre(Key("cali40s:a"), Key("cali60s:other"), Key("somebody")));
}

TEST_F(IPSetsTest, LeaveWhatIsInUseForTheNextTime) {
  auto sets = make();
  for (const char* id : {"s:a", "s:b", "s:c"}) sets.set(id, SetType::nets, {});
  ASSERT_TRUE(sets.apply_updates());
  for (const char* id : {"s:a", "s:b", "s:c"}) sets.remove(id);
  commands_.sets_in_use = {"cali40s:b"};
  ASSERT_TRUE(sets.apply_removals());
  EXPECT_THAT(commands_.sets, ElementsAre(Key("cali40s:b")));
  EXPECT_TRUE(sets.has_removals());
  commands_.sets_in_use.clear();
  ASSERT_TRUE(sets.apply_removals());
  EXPECT_THAT(commands_.sets, IsEmpty());
}

TEST_F(IPSetsTest, ClearAwayASwapThatWasCutShort) {
  commands_.sets["cali4t0"] = {"hash:net family inet maxelem 1048576", {"10.6.6.6"}};
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  sets.set("s:a", SetType::nets, {net("10.0.0.3")});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.3/32"));
  EXPECT_THAT(commands_.sets, ElementsAre(Key("cali40s:a")));
}

TEST_F(IPSetsTest, GrowWhenTheKernelsIsTooSmall) {
  commands_.sets["cali40s:a"] = {"hash:net family inet maxelem 1", {"10.0.0.1"}};
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  ASSERT_TRUE(sets.apply_updates());
  EXPECT_THAT(commands_.sets["cali40s:a"].type, HasSubstr("maxelem 1048576"));
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32", "10.0.0.2/32"));
}

TEST_F(IPSetsTest, HoldAsManyMembersAsTheOperatorAllows) {
  max_size_ = 2;
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1"), net("10.0.0.2")});
  sets.set("s:b", SetType::nets, {net("10.0.0.1"), net("10.0.0.2"), net("10.0.0.3")});
  const auto applied = sets.apply_updates();
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message, HasSubstr("cali40s:b: 3 members, and maxIpsetSize is 2"));
  EXPECT_THAT(sets.refused(), ElementsAre(Key("cali40s:b")));
  EXPECT_THAT(commands_.sets["cali40s:a"].type, HasSubstr("maxelem 2"));
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32", "10.0.0.2/32"));
  sets.change("s:b", {}, {net("10.0.0.1")});
  EXPECT_TRUE(sets.apply_updates());
  EXPECT_THAT(members("cali40s:b"), ElementsAre("10.0.0.2/32", "10.0.0.3/32"));
}

TEST(ParseMember, RefusesWhatIpsetNeverPrints) {
  for (const char* text :
       {"", "10.0.0.1", "10.0.0.1,tcp", "10.0.0.1,tcp:", "10.0.0.1,tcp:99999", "x,tcp:1"})
    EXPECT_FALSE(parse_member(SetType::named_ports, text)) << text;
}

// ---- sets that the kernel refuses ----

TEST_F(IPSetsTest, GoOnWhenOneIsRefused) {
  auto sets = make();
  commands_.sets["cali40s:b"] = {"hash:ip,port family inet maxelem 10", {}};
  commands_.sets_in_use = {"cali40s:b"};  // so it can be neither destroyed nor made anew
  for (const char* id : {"s:a", "s:b", "s:c"}) sets.set(id, SetType::nets, {net("10.0.0.1")});
  const auto applied = sets.apply_updates();
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message, HasSubstr("cali40s:b"));
  EXPECT_THAT(sets.refused(), ElementsAre(Key("cali40s:b")));
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32"));
  EXPECT_THAT(members("cali40s:c"), ElementsAre("10.0.0.1/32"));
}

TEST_F(IPSetsTest, AreMadeOnceTheKernelNoLongerRefusesThem) {
  auto sets = make();
  commands_.sets["cali40s:b"] = {"hash:ip,port family inet maxelem 10", {}};
  commands_.sets_in_use = {"cali40s:b"};
  sets.set("s:b", SetType::nets, {net("10.0.0.1")});
  ASSERT_FALSE(sets.apply_updates());
  commands_.sets_in_use.clear();
  EXPECT_TRUE(sets.apply_updates());
  EXPECT_THAT(sets.refused(), IsEmpty());
  EXPECT_THAT(members("cali40s:b"), ElementsAre("10.0.0.1/32"));
}

// The kernel's state may differ from what is known: then that decides, and nothing is refused.
TEST_F(IPSetsTest, AreJudgedByWhatIsThereBeforeTheyAreRefused) {
  auto sets = make();
  sets.set("s:a", SetType::nets, {net("10.0.0.1")});
  ASSERT_TRUE(sets.apply_updates());
  commands_.sets.erase("cali40s:a");
  sets.change("s:a", {net("10.0.0.2")}, {});
  EXPECT_TRUE(sets.apply_updates());
  EXPECT_THAT(members("cali40s:a"), ElementsAre("10.0.0.1/32", "10.0.0.2/32"));
}

}  // namespace
}  // namespace margay::dataplane::iptables
