#include "cni/arguments.h"

#include <gtest/gtest.h>

#include <map>

namespace margay::cni {
namespace {

using Variables = std::map<std::string, std::string>;

CniResult<Arguments> parse(const Variables& variables) {
  return parse_arguments([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

Variables complete() {
  return {{"CNI_COMMAND", "ADD"},
          {"CNI_CONTAINERID", "abc123"},
          {"CNI_NETNS", "/run/netns/x"},
          {"CNI_IFNAME", "eth0"},
          {"CNI_PATH", "/opt/cni/bin:/usr/lib/cni"},
          {"CNI_ARGS",
           "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;"
           "K8S_POD_INFRA_CONTAINER_ID=abc123;K8S_POD_UID=u-1;IP=10.0.0.9"}};
}

TEST(Arguments, OfAKubelet) {
  const auto arguments = parse(complete());
  ASSERT_TRUE(arguments) << arguments.error().message;
  EXPECT_EQ(arguments->operation, Operation::add);
  EXPECT_EQ(arguments->container_id, "abc123");
  EXPECT_EQ(arguments->network_namespace, "/run/netns/x");
  EXPECT_EQ(arguments->interface_name, "eth0");
  EXPECT_EQ(arguments->plugin_folders, (std::vector<std::string>{"/opt/cni/bin", "/usr/lib/cni"}));
  EXPECT_EQ(arguments->pod->ns, "shop");
  EXPECT_EQ(arguments->pod->name, "web-0");
  EXPECT_EQ(arguments->pod->uid, "u-1");
  EXPECT_EQ(arguments->wanted_address->to_string(), "10.0.0.9");
}

TEST(Arguments, DelNeedsNoNamespaceAndVersionNeedsNothing) {
  auto variables = complete();
  variables["CNI_COMMAND"] = "DEL";
  variables.erase("CNI_NETNS");
  EXPECT_TRUE(parse(variables));
  EXPECT_TRUE(parse({{"CNI_COMMAND", "VERSION"}}));
}

TEST(Arguments, WhatIsMissingOrWrongIsNamedWithCodeFour) {
  const struct {
    const char* variable;
    const char* value;  // null: unset
    const char* message;
  } cases[] = {
      {"CNI_COMMAND", nullptr, R"(CNI_COMMAND: "" is not ADD, DEL, CHECK or VERSION)"},
      {"CNI_COMMAND", "PLAY", R"(CNI_COMMAND: "PLAY" is not ADD, DEL, CHECK or VERSION)"},
      {"CNI_CONTAINERID", nullptr, R"(CNI_CONTAINERID: "" is not a container id)"},
      {"CNI_CONTAINERID", "../x", R"(CNI_CONTAINERID: "../x" is not a container id)"},
      {"CNI_NETNS", nullptr, "CNI_NETNS: required"},
      {"CNI_IFNAME", nullptr, R"(CNI_IFNAME: "" is not an interface name)"},
      {"CNI_IFNAME", "a/b", R"(CNI_IFNAME: "a/b" is not an interface name)"},
      {"CNI_IFNAME", "sixteen-letters-",
       R"(CNI_IFNAME: "sixteen-letters-" is not an interface name)"},
      {"CNI_PATH", nullptr, "CNI_PATH: required"},
      {"CNI_ARGS", "K8S_POD_NAME", R"(CNI_ARGS: "K8S_POD_NAME" is not KEY=VALUE)"},
      {"CNI_ARGS", "IP=x", R"(CNI_ARGS: IP: "x" is not an IP address)"},
  };
  for (const auto& [variable, value, message] : cases) {
    auto variables = complete();
    variables.erase(variable);
    if (value != nullptr) variables[variable] = value;
    const auto arguments = parse(variables);
    ASSERT_FALSE(arguments) << message;
    EXPECT_EQ(arguments.error().code, Code::invalid_environment) << message;
    EXPECT_EQ(arguments.error().message, message);
  }
}

TEST(HostInterfaceName, IsThatOfCalico) {
  EXPECT_EQ(host_interface_name({"default", "nginx", ""}), "calic440f455693");
  EXPECT_EQ(host_interface_name({"default", "nginx", ""}).size(), 15U);
}

TEST(HandleId, IsThatOfCalico) {
  EXPECT_EQ(handle_id("k8s-pod-network", "abc"), "k8s-pod-network.abc");
}

}  // namespace
}  // namespace margay::cni
