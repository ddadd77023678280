// Questions and answers, from objects in YAML to verdicts.

#include "ctl/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "api/codec.h"
#include "ctl/explain.h"
#include "ctl/testing/cluster.h"

namespace margay::ctl {
namespace {

using testing::cluster_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A shop: web may be reached by its clients on http, and reaches nothing but names.
constexpr const char* k_shop = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: other}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: other}
spec: {nodeName: n2, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: other}
spec: {nodeName: n2, hostNetwork: true, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 192.0.2.2}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: shop}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Succeeded, podIP: 10.0.0.9}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{ipBlock: {cidr: 203.0.113.0/24}}, {podSelector: {matchLabels: {app: nobody}}}]
    ports: [{port: 443}]
  - from: [{podSelector: {matchLabels: {app: client}}}]
    ports: [{port: http}]
  egress:
  - ports: [{protocol: UDP, port: 53}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: no-ping}
spec:
  order: 10
  selector: app == 'web'
  types: [Ingress]
  ingress:
  - {action: Log}
  - {action: Deny, protocol: ICMP}
  - {action: Deny, protocol: ICMPv6}
  - {action: Allow, protocol: TCP, source: {nets: [198.51.100.0/24]}}
)";

class Simulate : public ::testing::Test {
 protected:
  std::string ask(const std::string& queries) {
    std::istringstream in(queries);
    std::ostringstream out;
    counts_ = simulate(judge_, in, out);
    return out.str();
  }
  const SimulateCounts& counts() const { return counts_; }
  const FlowJudge& judge() const { return judge_; }
  const Cluster& cluster() const { return cluster_; }

 private:
  Cluster cluster_ = cluster_of(k_shop);
  FlowJudge judge_{cluster_};
  SimulateCounts counts_;
};

TEST_F(Simulate, AnswersWithWhatDecidedOnEachSide) {
  struct Case {
    const char* name;
    const char* query;
    const char* answer;
  };
  constexpr const char* k_profile_allows =
      R"({"verdict":"allow","policy":"profile kns.shop","rule":0,"tier":null})";
  const std::vector<Case> cases = {
      {"a client on the named port",
       R"({"id":1,"from":"shop/client","to":"shop/web","protocol":"tcp","port":8080})",
       R"({"id":1,"verdict":"allow","egress":$profile,)"
       R"("ingress":{"verdict":"allow","policy":"shop/knp.default.web","rule":1,"tier":"default"}})"},
      {"a client on another port: end of tier",
       R"({"id":"b","from":"shop/client","to":"shop/web","protocol":"tcp","port":80})",
       R"({"id":"b","verdict":"deny","egress":$profile,)"
       R"("ingress":{"verdict":"deny","policy":"shop/knp.default.web","rule":null,"tier":"default"}})"},
      {"by address, and from outside",
       R"({"id":2,"from":"203.0.113.7","to":"10.0.0.1","protocol":"TCP","port":443})",
       R"({"id":2,"verdict":"allow","egress":null,)"
       R"("ingress":{"verdict":"allow","policy":"shop/knp.default.web","rule":0,"tier":"default"}})"},
      {"a rule of an earlier policy",
       R"({"id":3,"from":"198.51.100.1","to":"shop/web","protocol":6,"port":22})",
       R"({"id":3,"verdict":"allow","egress":null,)"
       R"("ingress":{"verdict":"allow","policy":"no-ping","rule":3,"tier":"default"}})"},
      {"ICMP, an echo request if nothing is said",
       R"({"id":4,"from":"shop/client","to":"shop/web","protocol":"icmp"})",
       R"({"id":4,"verdict":"deny","egress":$profile,)"
       R"("ingress":{"verdict":"deny","policy":"no-ping","rule":1,"tier":"default"}})"},
      {"ICMPv6 is a protocol of its own",
       R"({"id":5,"from":"shop/client","to":"shop/web","protocol":"icmpv6","icmpType":128})",
       R"({"id":5,"verdict":"deny","egress":$profile,)"
       R"("ingress":{"verdict":"deny","policy":"no-ping","rule":2,"tier":"default"}})"},
      {"egress denied although the other side is open",
       R"({"id":6,"from":"shop/web","to":"shop/client","protocol":"tcp","port":80})",
       R"({"id":6,"verdict":"deny",)"
       R"("egress":{"verdict":"deny","policy":"shop/knp.default.web","rule":null,"tier":"default"},)"
       R"("ingress":$profile})"},
      {"egress to the world",
       R"({"id":7,"from":"shop/web","to":"192.0.2.53","protocol":"udp","port":53})",
       R"({"id":7,"verdict":"allow",)"
       R"("egress":{"verdict":"allow","policy":"shop/knp.default.web","rule":0,"tier":"default"},"ingress":null})"},
      {"nobody known at either end",
       R"({"id":8,"from":"192.0.2.1","to":"192.0.2.2","protocol":132,"port":1,"sport":null})",
       R"({"id":8,"verdict":"allow","egress":null,"ingress":null})"},
      {"a pod on the host's network is its host",
       R"({"id":9,"from":"other/agent","to":"shop/client","protocol":"tcp","port":1})",
       R"({"id":9,"verdict":"allow","egress":null,"ingress":$profile})"},
      {"IPv6 when asked for",
       R"({"id":10,"from":"shop/client","to":"shop/web","protocol":"tcp","port":8080,"ipVersion":6})",
       R"({"id":10,"verdict":"allow","egress":$profile,)"
       R"("ingress":{"verdict":"allow","policy":"shop/knp.default.web","rule":1,"tier":"default"}})"},
      {"no id", R"({"from":"192.0.2.1","to":"192.0.2.2","protocol":"47"})",
       R"({"id":null,"verdict":"allow","egress":null,"ingress":null})"},
  };
  for (const auto& [name, query, answer] : cases) {
    std::string expected = answer;
    if (const size_t at = expected.find("$profile"); at != expected.npos)
      expected.replace(at, 8, k_profile_allows);
    EXPECT_EQ(ask(query), expected + "\n") << name;
  }
}

TEST_F(Simulate, SaysWhatIsWrongAndGoesOn) {
  struct Case {
    const char* name;
    const char* query;
    const char* error;
  };
  const std::vector<Case> cases = {
      {"not JSON", "{", "line 1"},
      {"not an object", "[1]", "an object was expected"},
      {"no from", R"({"id":1,"to":"shop/web","protocol":"tcp","port":1})",
       "from: Required value: must be set"},
      {"a pod that is not there",
       R"({"id":1,"from":"shop/x","to":"shop/web","protocol":"tcp","port":1})",
       "from: there is no pod shop/x"},
      {"neither a pod nor an address",
       R"({"id":1,"from":"shop/web","to":"web","protocol":"tcp","port":1})",
       "to: \\\"web\\\" is neither"},
      {"a finished pod", R"({"id":1,"from":"shop/done","to":"shop/web","protocol":"tcp","port":1})",
       "from: pod shop/done has no address"},
      {"no port", R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"tcp"})",
       "tcp needs a port"},
      {"a port out of range",
       R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"tcp","port":65536})",
       "port: Invalid value: 65536: must be a number from 0 to 65535"},
      {"a port that is text",
       R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"tcp","port":"http"})", "port: "},
      {"ports of ICMP", R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"icmp","port":1})",
       "icmp has no ports"},
      {"a type of TCP",
       R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"tcp","port":1,"icmpType":8})",
       "tcp has no ICMP type"},
      {"a protocol that is none", R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"quic"})",
       "protocol: "},
      {"an IP version that is none",
       R"({"id":1,"from":"shop/web","to":"shop/web","protocol":"tcp","port":1,"ipVersion":5})",
       "ipVersion: Invalid value: 5: must be 4 or 6"},
      {"a family one end lacks",
       R"({"id":1,"from":"other/stranger","to":"shop/web","protocol":"tcp","port":1,"ipVersion":6})",
       "have no IPv6 address in common"},
      {"ends of two families",
       R"({"id":1,"from":"10.0.0.1","to":"fd00::1","protocol":"tcp","port":1})", "in common"},
  };
  const std::string good =
      R"({"id":"good","from":"192.0.2.1","to":"192.0.2.2","protocol":"tcp","port":1})";
  for (const auto& [name, query, error] : cases) {
    const std::string answers = ask(std::string(query) + "\n\n" + good + "\n");
    const size_t end = answers.find('\n');
    EXPECT_THAT(answers.substr(0, end), HasSubstr("\"error\":\"line 1: ")) << name;
    EXPECT_THAT(answers.substr(0, end), HasSubstr(error)) << name;
    EXPECT_THAT(answers.substr(end + 1), HasSubstr("{\"id\":\"good\",\"verdict\":\"allow\""))
        << name;
    EXPECT_EQ(counts().queries, 2U) << name;
    EXPECT_EQ(counts().errors, 1U) << name;
  }
}

TEST_F(Simulate, NothingAskedIsNothingAnswered) {
  EXPECT_EQ(ask(""), "");
  EXPECT_EQ(ask("\n \r\n"), "");
  EXPECT_EQ(counts().queries, 0U);
}

TEST_F(Simulate, FilesNeedNotSayEverything) {
  const Cluster sparse = cluster_of(R"(
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n, labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: n}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-a, namespace: n}
spec: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
)");
  EXPECT_THAT(sparse.warnings(),
              ElementsAre("namespace n is not in the files; taken to have no labels but its name",
                          HasSubstr("2 pods have no address in the files")));
  const FlowJudge judge(sparse);
  const auto verdict = [&judge](const char* from, const char* to) {
    const auto answer = judge.judge({.from = from, .to = to, .port = 80}, false);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer->verdict();
  };
  EXPECT_EQ(verdict("n/a", "n/b"), policy::Verdict::allow);
  EXPECT_EQ(verdict("n/b", "n/a"), policy::Verdict::deny);
  EXPECT_EQ(verdict("10.1.1.1", "n/a"), policy::Verdict::allow);
}

TEST_F(Simulate, NamespacesOutsideTheFilesAreKnownByName) {
  const Cluster sparse = cluster_of(R"(
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: other}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d, namespace: default}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: by-name, namespace: n}
spec:
  podSelector: {}
  ingress:
  - from:
    - namespaceSelector:
        matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [other, default]}]
)");
  const FlowJudge judge(sparse);
  for (const char* from : {"other/b", "default/d"}) {
    const auto answer = judge.judge({.from = from, .to = "n/a", .port = 80}, false);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->verdict(), policy::Verdict::allow) << from;
  }
}

TEST_F(Simulate, ExplainTellsEveryStepToPeople) {
  const auto answer = judge().judge({.from = "shop/client", .to = "shop/web", .port = 8080}, true);
  ASSERT_TRUE(answer);
  EXPECT_EQ(explain_text(cluster(), *answer),
            R"(tcp port 8080 from shop/client (10.0.0.2) to shop/web (10.0.0.1): allow

egress of shop/client (10.0.0.2): allow
  profile kns.shop
    egress[0]    Allow  matches  <- decides

ingress of shop/web (10.0.0.1): allow
  policy no-ping (tier default)
    ingress[0]   Log    matches
    ingress[1]   Deny   no match: protocol
    ingress[2]   Deny   no match: protocol
    ingress[3]   Allow  no match: source.nets
  policy shop/knp.default.web (tier default)
    ingress[0]   Allow  no match: source.nets
    ingress[0]   Allow  no match: source.selector
    ingress[1]   Allow  matches  <- decides
)");
}

TEST_F(Simulate, ExplainSaysWhyNothingDecided) {
  const auto answer = judge().judge({.from = "192.0.2.1", .to = "shop/web", .port = 80}, true);
  ASSERT_TRUE(answer);
  const std::string text = explain_text(cluster(), *answer);
  EXPECT_THAT(text, HasSubstr("egress of 192.0.2.1: not a workload endpoint, not policed here\n"));
  EXPECT_THAT(text, HasSubstr("denied at the end of the tier\n"));
}

TEST_F(Simulate, ExplainTellsEveryStepToPrograms) {
  const auto answer = judge().judge({.from = "203.0.113.1", .to = "shop/web", .port = 80}, true);
  ASSERT_TRUE(answer);
  const auto json = explain_json(cluster(), *answer);
  EXPECT_EQ(json.at("verdict"), "deny");
  EXPECT_TRUE(json.at("from").at("pod").is_null());
  EXPECT_EQ(json.at("to").at("pod"), "shop/web");
  EXPECT_TRUE(json.at("egress").is_null());
  EXPECT_EQ(json.at("ingress").at("policy"), "shop/knp.default.web");
  EXPECT_TRUE(json.at("ingress").at("rule").is_null());
  const auto& steps = json.at("ingress").at("steps").get_array();
  ASSERT_EQ(steps.size(), 7U);
  EXPECT_EQ(steps.at(4).at("rule"), 0);
  EXPECT_EQ(steps.at(4).at("mismatch"), "destination.ports");
}

}  // namespace
}  // namespace margay::ctl
