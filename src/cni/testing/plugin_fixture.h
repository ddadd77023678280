#pragma once

// A node and a container of its own for a test of the plugins: network namespaces, an embedded
// store with two pools and a pod "shop/web", and a runtime that calls the plugin.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/codec.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "cni/plugin.h"
#include "cni/result.h"
#include "ipam/check.h"
#include "ipam/testing/faulty_store.h"
#include "ipam/testing/scratch_store.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/testing/scratch_namespace.h"
#include "store/testing/temporary_folder.h"

namespace margay::cni::testing {

using base::IPAddress;
using ipam::testing::Fault;
using ipam::testing::FaultyStore;
using net::testing::ScratchNamespace;

inline constexpr const char* k_conf =
    R"({{"cniVersion": "{}", "name": "k8s-pod-network", "type": "calico",
  "nodename": "node1", "mtu": 1410,
  "ipam": {{"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}},
  "policy": {{"type": "k8s"}} {}}})";

inline std::string conf(const char* version = "0.3.1", const std::string& more = "") {
  return fmt::format(k_conf, version, more);
}

// Whether packets go there and come back: a TCP connection is accepted, or refused by that host.
inline bool reaches(const ScratchNamespace& from, const IPAddress& to) {
  const auto connected = from.get().run([&]() -> base::Result<bool> {
    sockaddr_storage address{};
    const base::UniqueFd socket(
        ::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr uint16_t k_port = 9;
    if (to.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(address);
      v4 = {.sin_family = AF_INET, .sin_port = htons(k_port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<uint8_t*>(&v4.sin_addr));
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
      v6 = {.sin6_family = AF_INET6, .sin6_port = htons(k_port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<uint8_t*>(&v6.sin6_addr));
    }
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return true;
    }
    if (errno != EINPROGRESS) return errno == ECONNREFUSED;
    pollfd polled{socket.get(), POLLOUT, 0};
    if (poll(&polled, 1, 3000) != 1) return false;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 || error == ECONNREFUSED;
  });
  return connected.value_or(false);
}

struct Container {
  std::string id = "c1";
  const ScratchNamespace* sandbox = nullptr;  // null: the test's own
  std::string uid = "u-1";
  std::string folders = "/nowhere";
};

class PluginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = net::testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    host_ = std::make_unique<ScratchNamespace>("mt-cni");
    container_ = std::make_unique<ScratchNamespace>("mt-cni");
    give_host_addresses();
    store_.add_pool({.name = "four", .cidr = "10.244.0.0/16"});
    store_.add_pool({.name = "six", .cidr = "fd00:244::/48"});
    put_namespace("{}");
    put_pod("{}");
    ASSERT_TRUE(base::mark_closed_start(node_state_)) << "as the node's agent does";
  }
  // A host has addresses of its own to send from.
  void give_host_addresses() {
    auto socket = host_->socket();
    const int loopback = net::get_link(socket, "lo").value().index;
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
      const auto address = IPAddress::parse(text).value();
      ASSERT_TRUE(net::add_address(
          socket, {.link = loopback, .address = address, .prefix_length = address.bits()}));
    }
  }
  void put_namespace(const std::string& annotations) {
    store_.put("namespaces", "", "shop",
               fmt::format(R"({{"apiVersion":"v1","kind":"Namespace",
                   "metadata":{{"name":"shop","annotations":{}}}}})",
                           annotations));
  }
  void put_pod(const std::string& annotations) {
    store_.put("pods", "shop", "web",
               fmt::format(R"({{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web",
                   "namespace":"shop","uid":"u-1","annotations":{}}},
                   "spec":{{"nodeName":"node1"}}}})",
                           annotations));
  }
  std::string annotation(const std::string& name) {
    const auto entry = store_.get().get({"pods", "shop", "web"}).value();
    const auto pod = api::parse_json(entry.value).value();
    const auto* annotations = pod.at("metadata").as_object().if_contains("annotations");
    if (annotations == nullptr) return "";
    const auto* value = annotations->as_object().if_contains("cni.projectcalico.org/" + name);
    return value == nullptr ? "(none)" : std::string(value->as_string());
  }

  // On the host's side: the calling thread is never in another namespace than its own.
  Answer call(const char* command, const Container& container, const std::string& input,
              store::Store& store, Answer (*plugin)(const Call&) = answer_plugin) {
    const auto& sandbox = container.sandbox == nullptr ? *container_ : *container.sandbox;
    const std::map<std::string, std::string> variables{
        {"CNI_COMMAND", command},
        {"CNI_CONTAINERID", container.id},
        {"CNI_NETNS", sandbox.path()},
        {"CNI_IFNAME", "eth0"},
        {"CNI_PATH", container.folders},
        {"CNI_ARGS",
         "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=" + container.uid}};
    const Call what{
        .environment = [&](const char* name) -> const char* {
          const auto found = variables.find(name);
          return found == variables.end() ? nullptr : found->second.c_str();
        },
        .input = input,
        .open_store = [&](const NetworkConfig&) -> base::Result<std::unique_ptr<store::Store>> {
          return std::make_unique<FaultyStore>(store, [] { return Fault::none; });
        },
        .node_state = node_state_};
    return host_->get().run([&] { return base::Result<Answer>(plugin(what)); }).value();
  }
  Answer call(const char* command, const Container& container = {},
              const std::string& input = conf()) {
    return call(command, container, input, store_.get());
  }
  Addressing add(const Container& container = {}, const std::string& input = conf()) {
    const auto answer = call("ADD", container, input);
    EXPECT_EQ(answer.status, 0) << answer.output;
    return Addressing::parse(api::parse_json(answer.output).value()).value_or(Addressing{});
  }
  std::string run_in(const ScratchNamespace& where, std::vector<std::string> argv) {
    const auto output = base::run({.argv = std::move(argv), .network_namespace = where.get().fd()});
    return output ? output->out + output->err : output.error().message;
  }
  bool host_reaches(const IPAddress& address) const { return reaches(*host_, address); }
  std::vector<std::string> problems() {
    std::vector<std::string> texts;
    const auto report = ipam::check(store_.get()).value();
    texts.reserve(report.findings.size());
    for (const auto& finding : report.findings) {
      texts.push_back(finding.subject + " " + finding.detail);
    }
    return texts;
  }
  size_t assigned() { return ipam::check(store_.get()).value().assigned; }
  bool host_has_interface() {
    auto socket = host_->socket();
    return net::get_link(socket, host_interface_name({"shop", "web", ""})).has_value();
  }

  ipam::testing::ScratchStore store_;
  store::testing::TemporaryFolder node_folder_;
  const base::NodeState node_state_{.lib = node_folder_.file("lib"),
                                    .run = node_folder_.file("run")};
  std::unique_ptr<ScratchNamespace> host_, container_;
};

}  // namespace margay::cni::testing
