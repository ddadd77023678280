#include "ipam/block.h"

#include <gtest/gtest.h>

#include <functional>

namespace margay::ipam {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::Prefix;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }
Prefix net(const char* text) { return Prefix::parse(text).value(); }
std::vector<IPAddress> ips(std::initializer_list<const char*> texts) {
  std::vector<IPAddress> all;
  for (const char* text : texts) all.push_back(ip(text));
  return all;
}

const api::AllocationAttribute k_a{"handle-a", {{"pod", "a"}}};
const api::AllocationAttribute k_b{"handle-b", {{"pod", "b"}}};

TEST(Block, OfANodeIsEmptyAndKnowsItsPlace) {
  const Block block = Block::claimed_by("node1", net("10.0.0.64/30"), false);
  EXPECT_EQ(block.object().metadata.name, "10-0-0-64-30");
  EXPECT_EQ(block.object().spec.affinity, "host:node1");
  EXPECT_EQ(block.host(), "node1");
  EXPECT_TRUE(block.is_claimed_by("node1"));
  EXPECT_FALSE(block.is_claimed_by("node"));
  EXPECT_TRUE(block.empty());
  EXPECT_EQ(block.free(), 4U);
}

TEST(Block, HandsAddressesOutInOrderUntilItIsFull) {
  Block block = Block::claimed_by("node1", net("10.0.0.64/30"), false);
  EXPECT_EQ(block.assign(3, k_a), ips({"10.0.0.64", "10.0.0.65", "10.0.0.66"}));
  EXPECT_EQ(block.assign(3, k_b), ips({"10.0.0.67"})) << "as many as there are";
  EXPECT_TRUE(block.assign(1, k_b).empty());
  EXPECT_EQ(block.held_by("handle-a"), ips({"10.0.0.64", "10.0.0.65", "10.0.0.66"}));
  EXPECT_EQ(block.find(ip("10.0.0.67"))->attribute, k_b);
}

TEST(Block, UsesAReleasedAddressAgainLast) {
  Block block = Block::claimed_by("node1", net("10.0.0.0/30"), false);
  const auto first = block.assign(2, k_a);
  EXPECT_EQ(block.release(first), 2U);
  EXPECT_EQ(block.release(first), 0U) << "again";
  EXPECT_EQ(block.release(ips({"192.0.2.1"})), 0U) << "of elsewhere";
  EXPECT_EQ(block.assign(4, k_b), ips({"10.0.0.2", "10.0.0.3", "10.0.0.0", "10.0.0.1"}));
}

TEST(Block, KeepsOneAttributePerOwnerAndDropsItWithTheLastAddress) {
  Block block = Block::claimed_by("node1", net("10.0.0.0/29"), false);
  block.assign(2, k_a);
  block.assign(1, k_b);
  block.assign(1, k_a);
  EXPECT_EQ(block.object().spec.attributes.size(), 2U);
  block.release(block.held_by("handle-a"));
  ASSERT_EQ(block.object().spec.attributes.size(), 1U);
  EXPECT_EQ(block.find(ip("10.0.0.2"))->attribute, k_b) << "indexes follow";
}

TEST(Block, AssignsAGivenAddressOnce) {
  Block block = Block::claimed_by("node1", net("fd00::40/122"), false);
  EXPECT_TRUE(block.assign(ip("fd00::7f"), k_a));
  EXPECT_EQ(block.assign(ip("fd00::7f"), k_b).error().code, ErrorCode::already_exists);
  EXPECT_EQ(block.assign(ip("fd00::80"), k_a).error().code, ErrorCode::invalid);
  EXPECT_EQ(block.free(), 63U);
  EXPECT_EQ(block.assign(64, k_b).size(), 63U) << "never the one that is taken";
}

TEST(Block, ThatContradictsItselfIsRefused) {
  using Spec = api::IPAMBlockSpec;
  const struct {
    const char* name;
    std::function<void(Spec&)> damage;
    const char* why;
  } cases[] = {
      {"not a CIDR", [](Spec& s) { s.cidr = "x"; }, "is not the CIDR of a block"},
      {"too large", [](Spec& s) { s.cidr = "10.0.0.0/8"; }, "is not the CIDR of a block"},
      {"short", [](Spec& s) { s.allocations.pop_back(); }, "has 3 allocations, not 4"},
      {"free and used", [](Spec& s) { s.unallocated.push_back(0); }, "both allocated and not"},
      {"free twice", [](Spec& s) { s.unallocated.push_back(3); }, "3 is there twice"},
      {"neither", [](Spec& s) { s.unallocated.pop_back(); }, "neither allocated nor unallocated"},
      {"out of range", [](Spec& s) { s.unallocated.push_back(4); }, "unallocated 4 is outside"},
      {"no attribute", [](Spec& s) { s.attributes.clear(); },
       "has attribute 0, which is not there"},
      {"negative", [](Spec& s) { s.allocations[0] = -1; }, "has attribute -1"},
  };
  for (const auto& [name, damage, why] : cases) {
    Block whole = Block::claimed_by("node1", net("10.0.0.0/30"), false);
    whole.assign(1, k_a);
    api::IPAMBlock object = whole.object();
    EXPECT_TRUE(Block::from_object(object)) << name;
    damage(object.spec);
    const auto block = Block::from_object(object);
    ASSERT_FALSE(block) << name;
    EXPECT_EQ(block.error().code, ErrorCode::internal) << name;
    EXPECT_NE(block.error().message.find(why), std::string::npos) << block.error().message;
  }
}

}  // namespace
}  // namespace margay::ipam
