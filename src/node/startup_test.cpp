#include "node/startup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "api/codec.h"
#include "base/host_name.h"
#include "k8s/objects.h"
#include "node/node_object.h"
#include "store/sqlite/sqlite_store.h"

namespace margay::node {
namespace {

using base::ErrorCode;
using base::Result;
using testing::HasSubstr;

// What the role `calico-node` of Calico v3.19's manifest grants for the objects that we use, under
// the names by which the store knows them. Verbs: g(et), l(ist), w(atch), c(reate), u(pdate),
// d(elete).
const std::map<std::string, std::string, std::less<>> k_calico_node_role = {
    {"nodes", "glw"},
    {"pods", "glw"},
    {"namespaces", "glw"},
    {"serviceaccounts", "lw"},
    {"services", "glw"},
    {"endpointslices.discovery.k8s.io", "lw"},
    {"networkpolicies.networking.k8s.io", "lw"},
    {"nodes.projectcalico.org", "glwcu"},  // Calico keeps them in the Nodes, by nodes/status
    {"felixconfigurations.projectcalico.org", "glwcu"},
    {"ippools.projectcalico.org", "glwcu"},
    {"clusterinformations.projectcalico.org", "glwcu"},
    {"globalnetworkpolicies.projectcalico.org", "glw"},
    {"globalnetworksets.projectcalico.org", "glw"},
    {"networkpolicies.projectcalico.org", "glw"},
    {"networksets.projectcalico.org", "glw"},
    {"hostendpoints.projectcalico.org", "glw"},
    {"ipamblocks.crd.projectcalico.org", "glwcud"},
    {"blockaffinities.crd.projectcalico.org", "glwcud"},
    {"ipamhandles.crd.projectcalico.org", "glcud"},
};
// Calico under Kubernetes has no such objects, so that its role says nothing of them.
const std::set<std::string, std::less<>> k_ours = {"profiles.projectcalico.org",
                                                   "workloadendpoints.projectcalico.org"};

// A store on which only that role's verbs work.
class RestrictedStore final : public store::Store {
 public:
  explicit RestrictedStore(store::Store& store) : store_(store) {}

  Result<store::Entry> get(const store::Key& key) override {
    MARGAY_CHECK(check(key.resource, 'g'));
    return store_.get(key);
  }
  Result<store::List> list(const store::Scope& scope, const store::ListOptions& options) override {
    MARGAY_CHECK(check(scope.resource, 'l'));
    return store_.list(scope, options);
  }
  Result<store::Entry> create(const store::Key& key, std::string value) override {
    MARGAY_CHECK(check(key.resource, 'c'));
    return store_.create(key, std::move(value));
  }
  Result<store::Entry> update(const store::Key& key, std::string value,
                              std::optional<store::Revision> expected) override {
    MARGAY_CHECK(check(key.resource, 'u'));
    return store_.update(key, std::move(value), expected);
  }
  Result<store::Entry> remove(const store::Key& key,
                              std::optional<store::Revision> expected) override {
    MARGAY_CHECK(check(key.resource, 'd'));
    return store_.remove(key, expected);
  }
  Result<std::unique_ptr<store::Watch>> watch(const store::Scope& scope, store::Revision from,
                                              store::Watcher& watcher) override {
    MARGAY_CHECK(check(scope.resource, 'w'));
    return store_.watch(scope, from, watcher);
  }

 private:
  static Result<> check(const std::string& resource, char verb) {
    const auto granted = k_calico_node_role.find(resource);
    if (granted != k_calico_node_role.end() && granted->second.contains(verb)) return {};
    return base::fail(ErrorCode::forbidden, resource + ": may not " + verb);
  }
  store::Store& store_;
};

struct StartUpTest : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("margay-start-up-" + std::to_string(getpid()));
  std::unique_ptr<store::Store> everything;
  std::unique_ptr<RestrictedStore> store;
  const NodeAddresses addresses{
      .v4 = HostAddress{"eth0", true, *base::IPAddress::parse("192.0.2.1"), 24}};

  StartUpTest() {
    std::filesystem::create_directories(directory);
    everything = *store::sqlite::SqliteStore::open({.path = (directory / "db").string()});
    store = std::make_unique<RestrictedStore>(*everything);
  }
  ~StartUpTest() override {
    store.reset();
    everything.reset();
    std::filesystem::remove_all(directory);
  }
  void register_node() {
    ASSERT_TRUE(everything->create(
        {"nodes", "", "node-a"},
        R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a"},"spec":{"kubelet":1}})"));
  }
};

TEST_F(StartUpTest, NeedsNoMoreThanCalicosManifestsGrant) {
  register_node();
  const auto started = start_up(*store, {.node = "node-a"}, addresses);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_THAT(everything->get({"nodes.projectcalico.org", "", "node-a"})->value,
              HasSubstr("192.0.2.1/24"));
  EXPECT_THAT(everything->get({"nodes", "", "node-a"})->value, HasSubstr("kubelet"))
      << "what is there stays";
  EXPECT_TRUE(everything->get({"ippools.projectcalico.org", "", "default-ipv4-ippool"}));
  EXPECT_TRUE(start_up(*store, {.node = "node-a"}, addresses)) << "again";
}

TEST_F(StartUpTest, WaitsForANodeThatItMayNotMake) {
  const auto started = start_up(*store, {.node = "node-a"}, addresses);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::unavailable) << "worth another try";
  EXPECT_THAT(started.error().message, HasSubstr("node node-a is not registered yet"));
}

TEST_F(StartUpTest, MakesTheNodeWhereItMay) {
  ASSERT_TRUE(start_up(*everything, {.node = "node-a"}, addresses));
  EXPECT_THAT(everything->get({"nodes", "", "node-a"})->value, HasSubstr("192.0.2.1"));
}

// Who collects what gone nodes leave behind looks for the Kubernetes node last, and marks the
// Calico Node before (ipam/collection.h).
TEST_F(StartUpTest, ANodeThatComesBackIsInKubernetesFirstAndTakesTheMarkOffItsNode) {
  const store::Key key{"nodes.projectcalico.org", "", "node-a"};
  EXPECT_FALSE(start_up(*store, {.node = "node-a"}, addresses)) << "Kubernetes does not have it";
  EXPECT_FALSE(everything->get(key));

  register_node();
  ASSERT_TRUE(everything->create(key, R"({"apiVersion":"projectcalico.org/v3","kind":"Node",
      "metadata":{"name":"node-a","annotations":{"mine":"yes",
                                                 "ipam.margay.io/node-is-leaving":"7"}},
      "spec":{"bgp":{"ipv4Address":"192.0.2.1/24"},
              "orchRefs":[{"nodeName":"node-a","orchestrator":"k8s"}]}})"));
  ASSERT_TRUE(start_up(*store, {.node = "node-a"}, addresses));
  EXPECT_THAT(everything->get(key)->value, testing::Not(HasSubstr("leaving")));
  EXPECT_THAT(everything->get(key)->value, HasSubstr("mine"));
}

TEST_F(StartUpTest, ANodeIsOfTheKubernetesNodeOfItsName) {
  ASSERT_TRUE(edit_node(*everything, "node-a", [](auto&) {}));
  const auto node = everything->get({"nodes.projectcalico.org", "", "node-a"})->value;
  EXPECT_THAT(node, HasSubstr(R"("orchRefs":[{"nodeName":"node-a","orchestrator":"k8s"}])"));
}

TEST_F(StartUpTest, AFamilyThatIsSwitchedOffIsTakenOffTheNodeAndOneThatIsNotSetStays) {
  register_node();
  const auto node = [&] {
    return everything->get({"nodes.projectcalico.org", "", "node-a"})->value;
  };
  NodeAddresses both = addresses;
  both.v6 = HostAddress{"eth0", true, *base::IPAddress::parse("2001:db8::1"), 64};
  ASSERT_TRUE(start_up(*store, {.node = "node-a"}, both));
  ASSERT_TRUE(start_up(*store, {.node = "node-a"}, addresses));
  EXPECT_THAT(node(), HasSubstr("2001:db8::1/64")) << "IP6 is not set";
  ASSERT_TRUE(start_up(*store, {.node = "node-a", .ip6 = "none"}, addresses));
  EXPECT_THAT(node(), testing::Not(HasSubstr("2001:db8::1")));
  EXPECT_THAT(node(), HasSubstr("192.0.2.1/24"));
}

TEST_F(StartUpTest, TheAgentWatchesNothingThatTheRoleDoesNotGrant) {
  for (const auto& resource : k8s::resources()) {
    if (k_ours.contains(resource)) continue;
    const auto granted = k_calico_node_role.find(resource);
    ASSERT_NE(granted, k_calico_node_role.end()) << resource;
    EXPECT_THAT(granted->second, testing::AllOf(HasSubstr("l"), HasSubstr("w"))) << resource;
  }
}

TEST(NodeName, IsTheHostsUnlessGiven) {
  EXPECT_EQ(node_name("Given", "felix"), "Given") << "a name that somebody gave stays as it is";
  EXPECT_EQ(node_name("", "felix"), "felix");
  EXPECT_EQ(node_name("", "").value(), base::host_name().value());
}

TEST(NodeAddresses, RefusedByTheNameOfTheVariable) {
  struct Case {
    const char* name;
    StartupOptions options;
    const char* says;
    ErrorCode code = ErrorCode::invalid;
  };
  const std::vector<Case> cases = {
      {"no address", {.ip = "foo"}, "IP: Invalid value: \"foo\": must be autodetect, none, or an "},
      {"too long", {.ip = "10.0.0.1/33"}, "IP: Invalid value: \"10.0.0.1/33\": must be "},
      {"IPv4 for IPv6",
       {.ip = "none", .ip6 = "10.0.0.1"},
       "IP6: Invalid value: \"10.0.0.1\": must be autodetect, none, or an IPv6 address "},
      {"no such method", {.ip_method = "nosuch"}, "IP_AUTODETECTION_METHOD: "},
      {"nothing found",
       {.ip = "none", .ip6 = "autodetect"},
       "IP6_AUTODETECTION_METHOD: no IPv6 ",
       ErrorCode::not_found},
      {"both off", {.ip = "none"}, "IP and IP6 are both \"none\""},
  };
  for (const auto& [name, options, says, code] : cases) {
    const auto addresses = node_addresses(options, {});
    ASSERT_FALSE(addresses) << name;
    EXPECT_EQ(addresses.error().code, code) << name;
    EXPECT_THAT(addresses.error().message, testing::StartsWith(says)) << name;
  }
}

}  // namespace
}  // namespace margay::node
