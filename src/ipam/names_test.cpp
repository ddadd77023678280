#include "ipam/names.h"

#include <gtest/gtest.h>

namespace margay::ipam {
namespace {

base::Prefix net(const char* text) { return base::Prefix::parse(text).value(); }

TEST(Names, AreThoseOfCalico) {
  EXPECT_EQ(block_name(net("10.0.0.0/26")), "10-0-0-0-26");
  EXPECT_EQ(block_name(net("fd00:10:244::40/122")), "fd00-10-244--40-122");
  EXPECT_EQ(affinity_name("node-1.example", net("10.0.0.64/26")), "node-1.example-10-0-0-64-26");
  EXPECT_EQ(handle_name("k8s-pod-network.ABCdef0"), "k8s-pod-network.abcdef0");
}

}  // namespace
}  // namespace margay::ipam
