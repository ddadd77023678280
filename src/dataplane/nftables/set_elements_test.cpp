// The elements of interval sets, against a kernel that is played by the test: it refuses what the
// real one refuses.

#include "dataplane/nftables/set_elements.h"

#include <gmock/gmock.h>

#include <random>

namespace margay::dataplane::nftables {
namespace {

using policy::IPFamily;
using policy::Prefix;
using policy::SetMember;
using policy::SetType;
using testing::ElementsAre;
using testing::IsEmpty;
using Elements = SetElements::Elements;

SetMember net(const char* text) { return {.net = *Prefix::parse(text)}; }

// Takes no element twice, none that overlaps another, and gives up none that it does not have.
void write(Elements& kernel, const SetElements::Difference& difference) {
  for (const auto& member : difference.removed) ASSERT_EQ(kernel.erase(member), 1U);
  for (const auto& member : difference.added) {
    for (const auto& other : kernel)
      ASSERT_FALSE(other.net.overlaps(member.net))
          << other.net.to_string() << " and " << member.net.to_string();
    kernel.insert(member);
  }
}

Elements outermost(const Elements& members) {
  Elements out;
  for (const auto& member : members) {
    bool covered = false;
    for (const auto& other : members)
      covered |= other.net != member.net && other.net.contains(member.net);
    if (!covered) out.insert(member);
  }
  return out;
}

TEST(SetElements, AreTheOutermostNetsWhateverComesAndGoes) {
  std::mt19937 random(1);
  SetElements sets(IPFamily::v4);
  Elements members, kernel;
  sets.set("s", SetType::nets, {});
  for (int step = 0; step < 2000; ++step) {
    std::vector<SetMember> added, removed;
    for (size_t changes = random() % 4; changes > 0; --changes) {
      const SetMember member{.net = Prefix(policy::IPAddress::v4(0x0a000000U + random() % 32),
                                           27 + static_cast<unsigned>(random() % 6))};
      if (members.erase(member) > 0)
        removed.push_back(member);
      else if (members.insert(member).second)
        added.push_back(member);
    }
    // A change names a member once.
    std::erase_if(added, [&](const auto& member) { return !members.contains(member); });
    std::erase_if(removed, [&](const auto& member) { return members.contains(member); });
    sets.change("s", added, removed);
    if (random() % 3 == 0) continue;  // several changes become one write
    for (const auto& difference : sets.differences())
      ASSERT_NO_FATAL_FAILURE(write(kernel, difference)) << "step " << step;
    sets.assume_written(true);
    ASSERT_EQ(kernel, outermost(members)) << "step " << step;
    ASSERT_THAT(sets.differences(), IsEmpty());
  }
}

TEST(SetElements, OfASetThatIsGivenAnewDifferInWhatIsNew) {
  SetElements sets(IPFamily::v4);
  sets.set("s", SetType::nets, {net("10.0.0.0/24"), net("10.0.1.0/24"), net("fd00::/8")});
  ASSERT_EQ(sets.differences().size(), 1U);
  EXPECT_TRUE(sets.differences()[0].create);
  EXPECT_THAT(sets.differences()[0].added, ElementsAre(net("10.0.0.0/24"), net("10.0.1.0/24")));
  sets.assume_written(true);
  sets.set("s", SetType::nets, {net("10.0.1.0/24"), net("10.0.2.0/24")});
  ASSERT_EQ(sets.differences().size(), 1U);
  EXPECT_FALSE(sets.differences()[0].create);
  EXPECT_THAT(sets.differences()[0].added, ElementsAre(net("10.0.2.0/24")));
  EXPECT_THAT(sets.differences()[0].removed, ElementsAre(net("10.0.0.0/24")));
}

TEST(SetElements, OfASetThatGoesAndComesBackAreComparedWithWhatIsThere) {
  SetElements sets(IPFamily::v4);
  sets.set("s", SetType::nets, {net("10.0.0.0/24")});
  sets.assume_written(true);
  sets.remove("s");
  EXPECT_THAT(sets.superfluous(), ElementsAre("s"));
  sets.set("s", SetType::nets, {net("10.0.1.0/24")});
  EXPECT_THAT(sets.superfluous(), IsEmpty());
  ASSERT_EQ(sets.differences().size(), 1U);
  EXPECT_THAT(sets.differences()[0].added, ElementsAre(net("10.0.1.0/24")));
  EXPECT_THAT(sets.differences()[0].removed, ElementsAre(net("10.0.0.0/24")));
}

TEST(SetElements, OfARefusedSetWait) {
  SetElements sets(IPFamily::v4);
  sets.set("s", SetType::nets, {net("10.0.0.0/24")});
  sets.refuse("s", "no memory");
  EXPECT_THAT(sets.differences(), IsEmpty());
  sets.assume_written(true);
  sets.allow_all();
  EXPECT_EQ(sets.differences().size(), 1U);
}

TEST(SetElements, OfASetOfAnotherKindAreMadeAnew) {
  SetElements sets(IPFamily::v4);
  sets.set("s", SetType::nets, {net("10.0.0.0/24")});
  sets.learn({{"s", {std::nullopt, {}}}, {"t", {SetType::nets, {}}}});
  ASSERT_EQ(sets.differences().size(), 1U);
  EXPECT_TRUE(sets.differences()[0].rebuild);
  EXPECT_THAT(sets.superfluous(), ElementsAre("t"));
}

}  // namespace
}  // namespace margay::dataplane::nftables
