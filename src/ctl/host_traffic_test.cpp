// Questions about the traffic of nodes themselves, from objects in YAML to verdicts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <sstream>

#include "ctl/explain.h"
#include "ctl/simulate.h"
#include "ctl/testing/cluster.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

// n1 lets in what the office sends to 443, and nothing to node ports; n2 is not governed.
constexpr const char* k_edge = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: InternalIP, address: "2001:db8::1"}]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2}
spec: {bgp: {ipv4Address: 192.0.2.2/24}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: shop}
spec: {nodeName: n2, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop}
spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 192.0.2.1}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: edge, labels: {role: edge}}
spec: {node: n1, interfaceName: eth0}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: inner, labels: {role: inner}}
spec: {node: n1, expectedIPs: [10.9.9.9]}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: of-a-workload-by-its-name}
spec: {node: n2, interfaceName: vm5}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: office}
spec:
  selector: role == 'edge'
  order: 10
  types: [Ingress, Egress]
  ingress: [{action: Allow, protocol: TCP, source: {nets: [203.0.113.0/24]}, destination: {ports: [443]}}]
  egress: [{action: Pass}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: no-node-ports}
spec:
  selector: role == 'edge'
  preDNAT: true
  applyOnForward: true
  types: [Ingress]
  ingress: [{action: Deny, protocol: TCP, destination: {ports: ["30000:32767"]}}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: drop-flood}
spec:
  selector: role == 'edge'
  doNotTrack: true
  applyOnForward: true
  types: [Ingress]
  ingress: [{action: Deny, source: {nets: [198.51.100.66/32]}}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: inner-transit}
spec:
  selector: role == 'inner'
  applyOnForward: true
  types: [Egress]
  egress: [{action: Deny, protocol: UDP}, {action: Allow}]
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec:
  defaultEndpointToHostAction: Accept
  failsafeInboundHostPorts: [{protocol: TCP, port: 22, net: 203.0.113.0/24}]
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.n2}
spec: {defaultEndpointToHostAction: Drop, interfacePrefix: vm}
)";

class HostTraffic : public ::testing::Test {
 protected:
  json::object ask(const std::string& query, bool trace = false) {
    std::istringstream in(query);
    std::ostringstream out;
    simulate(judge_, in, out, trace);
    return json::parse(out.str()).as_object();
  }
  // "edge preDNAT ingress deny no-node-ports 0, ...: deny"
  std::string summary(const std::string& query) {
    const auto answer = ask(query);
    if (const auto* error = answer.if_contains("error")) return std::string(error->as_string());
    std::string out;
    for (const auto& said : answer.at("host").as_array()) {
      for (const char* field : {"endpoint", "stage", "direction", "verdict", "policy", "rule"}) {
        const auto& value = said.at(field);
        if (value.is_string()) out += std::string(value.as_string()) + " ";
        if (value.is_number()) out += json::serialize(value) + " ";
      }
      out.back() = ';';
      out += ' ';
    }
    return out + std::string(answer.at("verdict").as_string());
  }

  Cluster cluster_ = testing::cluster_of(k_edge);
  FlowJudge judge_{cluster_};
};

TEST_F(HostTraffic, IsAnsweredStageByStage) {
  struct Case {
    const char* name;
    const char* query;
    const char* answer;
  };
  for (
      const auto& [name, query, answer] : {
          Case{"the office to the node",
               R"({"from":"203.0.113.7","to":"node/n1","protocol":"tcp","port":443,"in":"eth0"})",
               "edge normal ingress allow office 0; allow"},
          Case{"anybody else",
               R"({"from":"203.0.114.7","to":"node/n1","protocol":"tcp","port":443,"in":"eth0"})",
               "edge normal ingress deny office; deny"},
          Case{"by the node's address",
               R"({"from":"203.0.114.7","to":"192.0.2.1","protocol":"tcp","port":443,"in":"eth0"})",
               "edge normal ingress deny office; deny"},
          Case{"a failsafe of its net",
               R"({"from":"203.0.113.7","to":"node/n1","protocol":"tcp","port":22,"in":"eth0"})",
               "edge failsafe ingress allow; allow"},
          Case{"and of no other",
               R"({"from":"203.0.114.7","to":"node/n1","protocol":"tcp","port":22,"in":"eth0"})",
               "edge normal ingress deny office; deny"},
          Case{"before tracking",
               R"({"from":"198.51.100.66","to":"shop/web","protocol":"udp","port":1,"in":"eth0"})",
               "edge doNotTrack ingress deny drop-flood 0; deny"},
          Case{"a node port",
               R"({"from":"203.0.113.7","to":"shop/web","protocol":"tcp","port":8080,"in":"eth0",)"
               R"("original":{"to":"node/n1","port":30080}})",
               "edge preDNAT ingress deny no-node-ports 0; deny"},
          Case{"the same pod without one",
               R"({"from":"203.0.113.7","to":"shop/web","protocol":"tcp","port":8080,"in":"eth0"})",
               "allow"},
          Case{"out of the node, after Pass without a profile",
               R"({"from":"node/n1","to":"198.51.100.9","protocol":"tcp","port":80,"out":"eth0"})",
               "edge normal egress deny; deny"},
          Case{
              "a pod on the host's network is its node",
              R"({"from":"shop/agent","to":"198.51.100.9","protocol":"tcp","port":80,"out":"eth0"})",
              "edge normal egress deny; deny"},
          Case{
              "through the node, governed by address on the way out",
              R"({"from":"203.0.113.7","to":"198.51.100.9","protocol":"udp","port":80,"via":"node/n1",)"
              R"("in":"eth0","out":"eth1","interfaces":{"n1":{"eth0":[],"eth1":["10.9.9.9"]}}})",
              "inner forward egress deny inner-transit 0; deny"},
          Case{"by an interface that nobody governs",
               R"({"from":"203.0.114.7","to":"node/n1","protocol":"tcp","port":443,"in":"eth7"})",
               "allow"},
          Case{"by an interface that is a workload's by its name",
               R"({"from":"203.0.114.7","to":"node/n2","protocol":"tcp","port":443,"in":"vm5"})",
               "allow"},
          Case{"from a pod to its node",
               R"({"from":"shop/web","to":"node/n1","protocol":"tcp","port":443})", "allow"},
          Case{"which the node's own settings drop",
               R"({"from":"shop/far","to":"node/n2","protocol":"tcp","port":443})", "deny"},
          Case{"from a node to its pod",
               R"({"from":"node/n1","to":"shop/web","protocol":"tcp","port":443})", "allow"},
          Case{"from pod to pod across nodes",
               R"({"from":"shop/far","to":"shop/web","protocol":"tcp","port":443,"in":"eth0"})",
               "allow"},
          Case{"an address of its own",
               R"({"from":"node/n3","fromIP":"203.0.113.3","to":"node/n1","toIP":"10.9.9.9",)"
               R"("protocol":"tcp","port":443,"in":"eth0"})",
               "edge normal ingress allow office 0; allow"},
          Case{"an unknown node", R"({"from":"node/n3","to":"node/n1","protocol":"tcp","port":1})",
               "line 1: from: no Node says the address of n3"},
          Case{
              "an address for a pod",
              R"({"from":"shop/web","fromIP":"10.0.0.9","to":"node/n1","protocol":"tcp","port":1})",
              "line 1: from: an address can be given only of an end that is node/<name>"},
          Case{"a detour over an end",
               R"({"from":"node/n2","to":"node/n1","via":"node/n1","protocol":"tcp","port":1})",
               "line 1: via: must be node/<name>, of a node that neither end is on"},
          Case{
              "interfaces that are none",
              R"({"from":"node/n2","to":"node/n1","protocol":"tcp","port":1,"interfaces":{"n1":["eth0"]}})",
              "line 1: interfaces.n1: Invalid value: [\"eth0\"]: must be an object"},
      })
    EXPECT_EQ(summary(query), answer) << name;
}

TEST_F(HostTraffic, AnswersSayEverythingThatDecided) {
  const auto answer =
      ask(R"({"id":7,"from":"203.0.113.7","to":"shop/web","protocol":"tcp","port":80,"in":"eth0",)"
          R"("original":{"to":"192.0.2.1","port":30080}})");
  EXPECT_EQ(
      json::serialize(answer.at("host")),
      R"([{"node":"n1","interface":"eth0","endpoint":"edge","direction":"ingress",)"
      R"("stage":"preDNAT","verdict":"deny","policy":"no-node-ports","rule":0,"tier":"default"}])");
}

TEST_F(HostTraffic, ATraceSaysWhatWasLookedAtToo) {
  const auto answer =
      ask(R"({"id":7,"from":"203.0.113.7","to":"node/n1","protocol":"tcp","port":443,"in":"eth0"})",
          true);
  EXPECT_EQ(answer.at("id"), 7);
  const auto& host = answer.at("host").as_array();
  ASSERT_EQ(host.size(), 3u);
  EXPECT_EQ(host[0].at("stage"), "doNotTrack");
  EXPECT_EQ(host[0].at("verdict"), "pass");
  EXPECT_EQ(host[0].at("steps").at(0).at("mismatch"), "source.nets");
  EXPECT_EQ(host[2].at("steps").at(0).at("policy"), "office");
}

TEST_F(HostTraffic, IsExplainedToPeople) {
  const auto answer =
      judge_.judge({.from = "203.0.113.7", .to = "node/n1", .port = 443, .in = "eth0"}, true);
  ASSERT_TRUE(answer);
  EXPECT_EQ(explain_text(cluster_, *answer),
            R"(tcp port 443 from 203.0.113.7 to node/n1 (192.0.2.1): allow

egress of 203.0.113.7: not a workload endpoint, not policed here

host endpoint edge on n1 eth0, ingress, doNotTrack: goes on
  policy drop-flood (tier default)
    ingress[0]   Deny   no match: source.nets

host endpoint edge on n1 eth0, ingress, preDNAT: goes on
  policy no-node-ports (tier default)
    ingress[0]   Deny   no match: destination.ports

host endpoint edge on n1 eth0, ingress, normal: allow
  policy office (tier default)
    ingress[0]   Allow  matches  <- decides

ingress of node/n1 (192.0.2.1): not a workload endpoint, not policed here
)");
  const auto dropped = judge_.judge({.from = "shop/far", .to = "node/n2", .port = 443}, true);
  ASSERT_TRUE(dropped);
  EXPECT_THAT(explain_text(cluster_, *dropped), HasSubstr("defaultEndpointToHostAction is Drop"));
}

}  // namespace
}  // namespace margay::ctl
