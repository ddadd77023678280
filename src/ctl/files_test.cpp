#include "ctl/files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ctl/cluster.h"
#include "store/testing/temporary_folder.h"

namespace margay::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Files : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) {
    const std::filesystem::path path = folder_.file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string folder() const { return folder_.file(""); }

  static std::vector<std::string> names(const FileObjects& files) {
    std::vector<std::string> names;
    names.reserve(files.objects.size());
    for (const FileObject& file : files.objects)
      names.push_back(file.origin.substr(file.origin.rfind('/', file.origin.find(": ")) + 1));
    return names;
  }

 private:
  store::testing::TemporaryFolder folder_;
};

constexpr const char* k_namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

TEST_F(Files, OfAFolderAreReadInOrderOfNameSubfoldersToo) {
  write("b.yaml", k_namespace);
  write("a/z.yml", k_namespace);
  write("c.json", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"json"}})");
  write("README.md", "not an object");
  const auto files = read_objects({folder()});
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_THAT(names(*files), ElementsAre("z.yml: Namespace shop", "b.yaml: Namespace shop",
                                         "c.json: Namespace json"));
  EXPECT_THAT(files->warnings, IsEmpty());
}

TEST_F(Files, MayHoldManyDocumentsAndLists) {
  const auto path = write("all.yaml", std::string(k_namespace) + R"(---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
- {apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: out}}
---
apiVersion: v1
kind: NamespaceList
items:
- metadata: {name: listed}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web}}
)");
  const auto files = read_objects({path});
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_THAT(names(*files),
              ElementsAre("all.yaml: Namespace shop", "all.yaml: ServiceAccount shop/web",
                          "all.yaml: GlobalNetworkSet out", "all.yaml: Namespace listed",
                          "all.yaml: ServiceAccount default/web"));
}

TEST_F(Files, ThatAreWrongAreRefusedWithThePlace) {
  struct Case {
    const char* name;
    const char* file;
    const char* text;
    std::vector<const char*> message;
  };
  const std::vector<Case> cases = {
      {"YAML that is none", "a.yaml", "a: b\n- c\n", {"a.yaml: YAML: "}},
      {"JSON that is none", "a.json", "{\"a\":\n]", {"a.json: ", "line 2"}},
      {"not an object", "a.yaml", "- 1\n", {"a.yaml: an object was expected"}},
      {"no kind", "a.yaml", "apiVersion: v1\n", {"a.yaml: an object needs apiVersion and kind"}},
      {"a version of policy that is not there",
       "a.yaml",
       "{apiVersion: extensions/v1beta1, kind: NetworkPolicy, metadata: {name: x}}",
       {"a.yaml: there is no NetworkPolicy in extensions/v1beta1"}},
      {"a kind of Calico that is not there",
       "a.yaml",
       "{apiVersion: projectcalico.org/v3, kind: NetworkPolice, metadata: {name: x}}",
       {"a.yaml: there is no NetworkPolice in projectcalico.org/v3"}},
      {"an invalid policy",
       "a.yaml",
       "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x}, "
       "spec: {selector: 'a = 1', ingress: [{action: Allow, source: {nets: [x]}}]}}",
       {"a.yaml: GlobalNetworkPolicy x: ", "spec.selector", "spec.ingress[0].source.nets[0]"}},
  };
  for (const auto& [name, file, text, message] : cases) {
    const auto files = read_objects({write(file, text)});
    ASSERT_FALSE(files) << name;
    for (const char* part : message) EXPECT_THAT(files.error().message, HasSubstr(part)) << name;
  }
  EXPECT_EQ(read_objects({folder() + "missing.yaml"}).error().code, base::ErrorCode::not_found);
  std::filesystem::create_directory(folder() + "empty");
  EXPECT_FALSE(read_objects({folder() + "empty"}));
}

TEST_F(Files, WhatHasNoBearingIsLeftOutAloud) {
  const auto files = read_objects({write(
      "a.yaml", std::string("{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}\n---\n") +
                    k_namespace)});
  ASSERT_TRUE(files);
  EXPECT_THAT(files->objects, SizeIs(1));
  EXPECT_THAT(files->warnings, ElementsAre(HasSubstr("Deployment has no bearing on policy")));
}

TEST_F(Files, CalicosKindsWithoutBearingOnPolicyAreNoTroubleAndUnknownOnesAre) {
  for (const char* version : {"projectcalico.org/v3", "crd.projectcalico.org/v1"})
    for (const auto& [kind, is_known] : {std::pair("BGPConfiguration", true),
                                         {"BGPPeer", true},
                                         {"KubeControllersConfiguration", true},
                                         {"EgressGateway", false},
                                         {"GlobalAlert", false}}) {
      const auto files = read_objects({write(
          "a.yaml",
          fmt::format("{{apiVersion: {}, kind: {}, metadata: {{name: default}}, spec: {{}}}}",
                      version, kind))});
      EXPECT_EQ(files.has_value(), is_known) << version << " " << kind;
      if (!files) continue;
      EXPECT_THAT(files->warnings, IsEmpty()) << version << " " << kind;
      EXPECT_TRUE(Cluster::from_files(*files)) << version << " " << kind;
    }
}

TEST_F(Files, PoliciesMayBeAsCalicoStoresThem) {
  const auto files = read_objects({write("a.yaml", R"(
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: default.deny, namespace: shop}
spec: {selector: all()}
)")});
  ASSERT_TRUE(files) << files.error().message;
  const auto cluster = Cluster::from_files(*files);
  ASSERT_TRUE(cluster) << cluster.error().message;
  EXPECT_THAT(cluster->model().policies,
              ElementsAre(testing::Key(policy::PolicyKey{.ns = "shop", .name = "deny"})));
}

TEST_F(Files, ObjectsOfKubernetesMayBeIncomplete) {
  const auto files = read_objects({write(
      "a.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: web}, status: {podIP: 10.0.0.1}}")});
  ASSERT_TRUE(files);
  EXPECT_THAT(files->objects, SizeIs(1));
  const auto cluster = Cluster::from_files(*files);
  ASSERT_TRUE(cluster) << cluster.error().message;
  ASSERT_NE(cluster->find_workload("default/web"), nullptr);
  EXPECT_THAT(cluster->find_workload("default/web")->addresses, SizeIs(1));
}

}  // namespace
}  // namespace margay::ctl
