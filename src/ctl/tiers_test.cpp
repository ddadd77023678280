// Tiers and staged policies, as `margay ctl` tells of them.

#include <gmock/gmock.h>

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
using ::testing::Not;

constexpr const char* k_pods = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {podIP: 10.0.0.2}}
---
)";

std::string at_web(const char* kind, const char* name, const std::string& spec) {
  const bool is_global = std::string_view(kind).find("Global") != std::string_view::npos;
  return std::string("apiVersion: projectcalico.org/v3\nkind: ") + kind +
         "\nmetadata: {name: " + name + (is_global ? "" : ", namespace: shop") +
         "}\nspec: {selector: app == 'web', " + spec + "}\n---\n";
}
std::string tier(const char* name, const char* spec) {
  return std::string("{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: ") + name +
         "}, spec: {" + spec + "}}\n---\n";
}

const Flow k_flow{.from = "shop/client", .to = "shop/web", .port = 80};

std::string text_of(const Cluster& cluster) {
  const auto answer = FlowJudge(cluster).judge(k_flow, true);
  EXPECT_TRUE(answer) << answer.error().message;
  return answer ? explain_text(cluster, *answer) : "";
}
json::object json_of(const Cluster& cluster) {
  const auto answer = FlowJudge(cluster).judge(k_flow, true);
  return explain_json(cluster, *answer);
}
json::object simulated(const Cluster& cluster) {
  std::istringstream in(R"({"from":"shop/client","to":"shop/web","protocol":"tcp","port":80})");
  std::ostringstream out;
  simulate(FlowJudge(cluster), in, out);
  return json::parse(out.str()).as_object();
}

TEST(ExplainTiers, TellsWhereEachOneEnds) {
  const Cluster cluster = testing::cluster_of(
      k_pods + tier("security", "order: 5, defaultAction: Pass") + tier("ops", "order: 6") +
      at_web("GlobalNetworkPolicy", "security.no-udp",
             "tier: security, ingress: [{action: Deny, protocol: UDP}]") +
      at_web("NetworkPolicy", "ops.web", "tier: ops, ingress: [{action: Pass, protocol: TCP}]") +
      at_web("NetworkPolicy", "web", "ingress: [{action: Allow, protocol: UDP}]"));
  EXPECT_THAT(text_of(cluster), HasSubstr(R"(
ingress of shop/web (10.0.0.1): deny
  policy security.no-udp (tier security)
    ingress[0]   Deny   no match: protocol
  end of tier security: passes to what comes next
  policy shop/ops.web (tier ops)
    ingress[0]   Pass   matches
  policy shop/web (tier default)
    ingress[0]   Allow  no match: protocol
  policy applies here and no rule of it matched: denied at the end of the tier
)"));
  const auto ingress = json_of(cluster).at("ingress").as_object();
  EXPECT_EQ(ingress.at("tier"), "default");
  EXPECT_EQ(ingress.at("steps").as_array().size(), 4u);
  EXPECT_EQ(json::serialize(ingress.at("steps").at(1)),
            R"({"tier":"security","policy":null,"rule":null,"action":"Pass"})");
  EXPECT_EQ(json::serialize(simulated(cluster).at("ingress")),
            R"({"verdict":"deny","policy":"shop/web","rule":null,"tier":"default"})");
}

TEST(ExplainTiers, ThoseBehindDefaultAreAskedOfWhatItPasses) {
  const Cluster cluster =
      testing::cluster_of(k_pods + at_web("NetworkPolicy", "web", "ingress: [{action: Pass}]") +
                          at_web("GlobalNetworkPolicy", "kube-baseline.web",
                                 "tier: kube-baseline, ingress: [{action: Deny}]") +
                          at_web("GlobalNetworkPolicy", "kube-admin.web",
                                 "tier: kube-admin, ingress: [{action: Allow, protocol: UDP}]"));
  const auto answer = simulated(cluster);
  EXPECT_EQ(answer.at("verdict"), "deny");
  EXPECT_EQ(answer.at("ingress").at("tier"), "kube-baseline");
  EXPECT_EQ(answer.at("ingress").at("policy"), "kube-baseline.web");
}

// Files that leave the Tier out are judged as a cluster where it has been removed.
TEST(ExplainTiers, ATierThatIsNotThereIsLastAndDenies) {
  const Cluster cluster =
      testing::cluster_of(k_pods + at_web("NetworkPolicy", "gone.web",
                                          "tier: gone, ingress: [{action: Allow, protocol: UDP}]"));
  EXPECT_EQ(json::serialize(simulated(cluster).at("ingress")),
            R"({"verdict":"deny","policy":"shop/gone.web","rule":null,"tier":"gone"})");
}

TEST(ExplainStaged, SaysWhatWouldBeDecided) {
  const std::string enforced = at_web("NetworkPolicy", "web", "ingress: [{action: Allow}]");
  EXPECT_FALSE(simulated(testing::cluster_of(k_pods + enforced)).contains("staged"));
  EXPECT_THAT(text_of(testing::cluster_of(k_pods + enforced)), Not(HasSubstr("staged")));

  const Cluster cluster = testing::cluster_of(
      k_pods + enforced + at_web("StagedNetworkPolicy", "web", "ingress: [{action: Deny}]"));
  EXPECT_EQ(json::serialize(simulated(cluster)),
            R"({"id":null,"verdict":"allow",)"
            R"("egress":{"verdict":"allow","policy":"profile kns.shop","rule":0,"tier":null},)"
            R"("ingress":{"verdict":"allow","policy":"shop/web","rule":0,"tier":"default"},)"
            R"("staged":{"verdict":"deny",)"
            R"("egress":{"verdict":"allow","policy":"profile kns.shop","rule":0,"tier":null},)"
            R"("ingress":{"verdict":"deny","policy":"shop/web","rule":0,"tier":"default"}}})");
  EXPECT_THAT(text_of(cluster), HasSubstr("\nif the staged policies were enforced: deny\n"));
  EXPECT_EQ(json_of(cluster).at("staged").at("ingress").at("steps").as_array().size(), 1u);
}

TEST(ExplainStaged, DeletionsAndKubernetesPolicies) {
  const Cluster cluster = testing::cluster_of(std::string(k_pods) + R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}}
---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {stagedAction: Delete}
)");
  EXPECT_EQ(simulated(cluster).at("verdict"), "deny");
  EXPECT_EQ(simulated(cluster).at("staged").at("verdict"), "allow");

  const Cluster opened = testing::cluster_of(std::string(k_pods) + R"(
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}}
)");
  EXPECT_EQ(simulated(opened).at("verdict"), "allow");
  EXPECT_EQ(simulated(opened).at("staged").at("ingress").at("policy"), "shop/knp.default.closed");
}

}  // namespace
}  // namespace margay::ctl
