#include "ipam/names.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>

namespace margay::ipam {
namespace {

base::Prefix net(const char* text) { return base::Prefix::parse(text).value(); }

TEST(Names, AreThoseOfCalico) {
  EXPECT_EQ(block_name(net("10.0.0.0/26")), "10-0-0-0-26");
  EXPECT_EQ(block_name(net("fd00:10:244::40/122")), "fd00-10-244--40-122");
  EXPECT_EQ(affinity_name("node-1.example", net("10.0.0.64/26")), "node-1.example-10-0-0-64-26");
  EXPECT_EQ(handle_names("k8s-pod-network.ABCdef0").front(), "k8s-pod-network.abcdef0");
}

TEST(Names, OfAnAffinityFitAndKeepApartWhoseHostsNamesAreLong) {
  const std::string host(253, 'n');
  const std::string name = affinity_name(host, net("10.0.0.0/26"));
  EXPECT_LE(name.size(), 253U);
  EXPECT_NE(name, affinity_name(host + "x", net("10.0.0.0/26")));
  for (const std::string& some : {host, std::string("node-1")}) {
    EXPECT_TRUE(affinity_name(some, net("fd00::/122")).starts_with(affinity_prefix(some)));
  }
}

// What the CNI specification allows as a container's id, and Kubernetes as an object's name.
TEST(Names, OfHandlesAreObjectNamesAndNeverThoseOfAnotherHandle) {
  const std::regex object_name("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  std::map<std::string, std::string> first_names, last_names;
  for (const std::string id :
       {"net.pod_12ab", "net.pod-12ab", "net.pod__12ab", "net.ends-with-", "net.ends-with_",
        "net.ends-with", "net.ends.", "net.a..b", "net.a.-b", "net.a-.b", "net.ABC", "net.abc",
        "net.Abc", "-net.a", "net._", "net.-", "NET.abc"}) {
    for (const auto& name : handle_names(id)) {
      EXPECT_TRUE(std::regex_match(name, object_name)) << id << ": " << name;
    }
    const auto [entry, fresh] = last_names.emplace(handle_names(id).back(), id);
    EXPECT_TRUE(fresh) << id << " and " << entry->second;
    // The first name is shared by ids that differ in case, and then there is a second.
    if (handle_names(id).size() == 1) {
      EXPECT_TRUE(first_names.emplace(handle_names(id).front(), id).second) << id;
    }
  }
  EXPECT_EQ(handle_names("net.0123abcd"), handle_names("net.0123abcd"));
  EXPECT_LE(handle_names(std::string(400, 'a')).back().size(), 253U);
}

}  // namespace
}  // namespace margay::ipam
