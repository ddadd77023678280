#include "cni/config.h"

#include <gtest/gtest.h>

namespace margay::cni {
namespace {

TEST(Config, ReadsEveryFieldOfCalicos) {
  const auto config = parse_config(R"({
    "cniVersion": "0.3.1", "name": "k8s-pod-network", "type": "calico",
    "datastore_type": "kubernetes", "mtu": 1410, "nodename": "node1",
    "log_level": "debug", "log_file_path": "/tmp/cni.log", "include_default_routes": true,
    "ipam": {"type": "calico-ipam", "assign_ipv4": "false", "assign_ipv6": "true",
             "ipv4_pools": ["a", "10.0.0.0/8"], "ipv6_pools": ["b"],
             "routes": [{"dst": "10.0.0.0/8"}]},
    "policy": {"type": "k8s"}, "kubernetes": {"kubeconfig": "/etc/k"},
    "container_settings": {"allow_ip_forwarding": true},
    "feature_control": {"ip_addrs_no_ipam": true, "floating_ips": true},
    "something_new": {"is": "kept"}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->version, "0.3.1");
  EXPECT_EQ(config->name, "k8s-pod-network");
  EXPECT_EQ(config->mtu, 1410U);
  EXPECT_EQ(config->node_name, "node1");
  EXPECT_EQ(config->log_level, "debug");
  EXPECT_EQ(config->log_file_path, "/tmp/cni.log");
  EXPECT_TRUE(config->include_default_routes);
  EXPECT_EQ(config->ipam.type, "calico-ipam");
  EXPECT_FALSE(config->ipam.assign_ipv4);
  EXPECT_TRUE(config->ipam.assign_ipv6);
  EXPECT_EQ(config->ipam.ipv4_pools, (std::vector<std::string>{"a", "10.0.0.0/8"}));
  EXPECT_EQ(config->ipam.ipv6_pools, std::vector<std::string>{"b"});
  EXPECT_EQ(config->ipam.routes, std::vector{base::Prefix::parse("10.0.0.0/8").value()});
  EXPECT_TRUE(config->kubernetes_policy);
  EXPECT_EQ(config->kubeconfig, "/etc/k");
  EXPECT_TRUE(config->allow_ip_forwarding);
  EXPECT_TRUE(config->feature_ip_addrs_no_ipam);
  EXPECT_TRUE(config->feature_floating_ips);
  EXPECT_TRUE(config->document.contains("something_new"));
}

TEST(Config, DefaultsAreThoseOfCalico) {
  const auto config = parse_config(R"({"cniVersion": "1.0.0", "name": "n",
                                       "ipam": {"type": "calico-ipam"}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->ipam.assign_ipv4);
  EXPECT_FALSE(config->ipam.assign_ipv6);
  EXPECT_FALSE(config->kubernetes_policy);
  EXPECT_FALSE(config->allow_ip_forwarding);
  EXPECT_EQ(config->mtu, 0U);
  EXPECT_EQ(config->datastore_type, "kubernetes");
}

TEST(Config, EachKindOfMistakeHasItsCode) {
  const struct {
    const char* name;
    const char* text;
    Code code;
    const char* message;  // part of it
  } cases[] = {
      {"nothing", "", Code::decoding_failure, ""},
      {"not JSON", "{", Code::decoding_failure, "line 1"},
      {"not an object", "[]", Code::decoding_failure, "is not an object"},
      {"an old version", R"({"cniVersion":"0.2.0","name":"n","ipam":{"type":"x"}})",
       Code::incompatible_version, R"("0.2.0" is not supported, but 0.3.0, 0.3.1, 0.4.0, 1.0.0)"},
      {"a future version", R"({"cniVersion":"9.0.0"})", Code::incompatible_version, "9.0.0"},
      {"another datastore", R"({"cniVersion":"1.0.0","name":"n","datastore_type":"etcdv3",
        "ipam":{"type":"x"}})",
       Code::invalid_configuration, R"(datastore_type: Invalid value: "etcdv3")"},
      {"no name and no ipam", R"({"cniVersion":"1.0.0"})", Code::invalid_configuration,
       "[name: Required value: must be set, ipam.type: Required value: must be set]"},
      {"a wrong type deep down",
       R"({"cniVersion":"1.0.0","name":"n","ipam":{"type":"x","ipv4_pools":"all"}})",
       Code::invalid_configuration, R"(ipam.ipv4_pools: Invalid value: "all": must be a list)"},
      {"a bad flag", R"({"cniVersion":"1.0.0","name":"n","ipam":{"type":"x","assign_ipv4":"yes"}})",
       Code::invalid_configuration,
       R"(ipam.assign_ipv4: Invalid value: "yes": must be true or false)"},
      {"a bad MTU", R"({"cniVersion":"1.0.0","name":"n","mtu":-1,"ipam":{"type":"x"}})",
       Code::invalid_configuration, "mtu: Invalid value: -1: must be a number from 0 to 65535"},
      {"a bad route",
       R"({"cniVersion":"1.0.0","name":"n","ipam":{"type":"x","routes":[{"dst":"x"}]}})",
       Code::invalid_configuration, R"(ipam.routes[0].dst: Invalid value: "x": must be a CIDR)"},
  };
  for (const auto& [name, text, code, message] : cases) {
    const auto config = parse_config(text);
    ASSERT_FALSE(config) << name;
    EXPECT_EQ(config.error().code, code) << name;
    EXPECT_NE(config.error().message.find(message), std::string::npos)
        << name << ": " << config.error().message;
  }
}

}  // namespace
}  // namespace margay::cni
