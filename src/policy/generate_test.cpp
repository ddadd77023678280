#include "policy/generate.h"

#include "policy/workload_interfaces.h"

#include <gtest/gtest.h>

#include <set>

#include "policy/generate_objects.h"

namespace margay::policy {
namespace {

std::string transcript(uint64_t seed) {
  Generator generator(seed);
  Model model = generator.model();
  std::string text;
  for (int i = 0; i < 50; ++i) model.apply(generator.change(model));
  for (const auto& [key, policy] : model.policies) text += key.id() + policy.selector.text() + "\n";
  for (const auto& [key, endpoint] : model.workloads)
    if (!endpoint.addresses.empty())
      text += to_string(generator.packet(model, endpoint, Direction::ingress)) + "\n";
  return text;
}

TEST(Generator, SaysTheSameForTheSameSeed) {
  EXPECT_EQ(transcript(7), transcript(7));
  EXPECT_NE(transcript(7), transcript(8));
}

// That some pass and some deny, and that policies of several meet at one endpoint.
TEST(Generator, PoliciesAreInTiersOfBothKinds) {
  size_t several = 0, ends = 0, passed_on = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    const Evaluator evaluator(model);
    for (const auto& [key, endpoint] : model.workloads) {
      if (endpoint.addresses.empty()) continue;
      std::set<std::string> tiers;
      for (const Policy* policy : evaluator.applicable_policies(endpoint, Direction::ingress))
        tiers.insert(policy->key.tier);
      several += tiers.size() > 1;
      std::vector<Step> steps;
      const auto packet = generator.packet(model, endpoint, Direction::ingress);
      const auto decision = evaluator.evaluate(endpoint, Direction::ingress, packet, &steps);
      ends += decision.by == Decision::By::end_of_tier && decision.tier != "default";
      for (size_t i = 1; i < steps.size(); ++i)
        passed_on += steps[i].tier != steps[i - 1].tier && !steps[i - 1].matched;
    }
  }
  EXPECT_GT(several, 20u);
  EXPECT_GT(ends, 5u);
  EXPECT_GT(passed_on, 20u);
}

bool is_usable(const WorkloadEndpoint& endpoint, const std::string& node) {
  return endpoint.key.node == node && endpoint.admin_up &&
         WorkloadInterfaces().contains(endpoint.interface_name) && endpoint.addresses.size() == 2;
}

TEST(Generator, HasALocalWorkloadToTry) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Model model = Generator(seed, {.node = "here"}).model();
    EXPECT_TRUE(std::ranges::any_of(
        model.workloads, [](const auto& entry) { return is_usable(entry.second, "here"); }))
        << "seed " << seed;
  }
}

TEST(Generator, StaysInIPv4WhenTold) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Model model = Generator(seed, {.ipv6 = false}).model();
    for (const auto& [key, endpoint] : model.workloads)
      for (const IPAddress& address : endpoint.addresses) EXPECT_TRUE(address.is_v4());
    for (const auto& [key, pool] : model.pools) EXPECT_EQ(pool.cidr.family(), IPFamily::v4);
  }
}

// What is to be sent must be something a network carries, and hit what rules ask about.
TEST(Generator, PacketsCanBeSentAndReachTheEdges) {
  std::set<uint8_t> protocols;
  size_t inside = 0;
  size_t total = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    const auto& endpoint = model.workloads.begin()->second;
    if (endpoint.addresses.empty()) continue;
    for (int i = 0; i < 200; ++i) {
      const Packet packet = generator.packet(model, endpoint, Direction::ingress);
      ASSERT_EQ(packet.source.family(), packet.destination.family());
      ASSERT_NE(packet.source, packet.destination);
      ASSERT_EQ(std::ranges::count(endpoint.addresses, packet.destination), 1);
      ASSERT_LT(packet.source.bytes()[0], packet.source.is_v4() ? 224 : 0xfe) << to_string(packet);
      ASSERT_FALSE(packet.protocol == k_icmpv6 && packet.source.is_v4());
      ASSERT_NE(packet.destination_port, 4789);
      protocols.insert(packet.protocol);
      inside += std::ranges::count_if(vocabulary_nets(), [&packet](const Prefix& net) {
                  return net.length() > 0 && net.contains(packet.source);
                }) > 0;
      ++total;
    }
  }
  EXPECT_EQ(protocols.size(), GenerateOptions().protocols.size());
  EXPECT_GT(inside, total / 4);
  EXPECT_LT(inside, total);
}

}  // namespace
}  // namespace margay::policy
