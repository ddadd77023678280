#include "api/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

#include "api/kind.h"

namespace margay::api {
namespace {

void collect_references(const json::value& value, std::set<std::string>& references) {
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (key == "$ref") references.insert(std::string(member.as_string()));
      collect_references(member, references);
    }
  }
  if (const auto* array = value.if_array())
    for (const auto& item : *array) collect_references(item, references);
}

void expect_references_resolve(const json::object& document, const json::object& definitions,
                               const std::string& prefix) {
  std::set<std::string> references;
  collect_references(document, references);
  EXPECT_FALSE(references.empty());
  for (const auto& reference : references) {
    ASSERT_TRUE(reference.starts_with(prefix)) << reference;
    EXPECT_TRUE(definitions.contains(reference.substr(prefix.size()))) << reference;
  }
}

TEST(OpenAPI, Version2DefinesEveryKindAndItsVerbs) {
  const json::object document = openapi_v2();
  const auto& definitions = document.at("definitions").as_object();
  expect_references_resolve(document, definitions, "#/definitions/");
  std::set<std::string> defined;
  for (const auto& [name, definition] : definitions)
    if (const auto* types = definition.as_object().if_contains("x-kubernetes-group-version-kind"))
      defined.insert(json::serialize(types->at(0)));
  for (const auto& kind : kinds())
    EXPECT_TRUE(defined.contains(json::serialize(
        json::object{{"group", kind.group}, {"version", kind.version}, {"kind", kind.name}})))
        << kind.resource();
  const auto& pod = document.at("paths").at("/api/v1/namespaces/{namespace}/pods/{name}");
  for (const char* method : {"get", "put", "patch", "delete"})
    EXPECT_EQ(pod.at(method).at("x-kubernetes-group-version-kind").at("kind"), "Pod");
  std::set<std::string> parameters;
  for (const auto& parameter : pod.at("patch").at("parameters").as_array())
    parameters.insert(std::string(parameter.at("name").as_string()));
  EXPECT_TRUE(parameters.contains("dryRun"));
  EXPECT_TRUE(parameters.contains("fieldValidation"));
}

TEST(OpenAPI, TellsHowListsAreMerged) {
  const json::object document = openapi_v2();
  const auto& spec = document.at("definitions").at("io.k8s.api.core.v1.PodSpec").at("properties");
  EXPECT_EQ(spec.at("containers").at("x-kubernetes-patch-merge-key"), "name");
  EXPECT_EQ(spec.at("containers").at("x-kubernetes-patch-strategy"), "merge");
  EXPECT_EQ(spec.at("volumes").at("x-kubernetes-patch-strategy"), "merge,retainKeys");
}

TEST(OpenAPI, OffersStrategicMergeForKindsThatKubectlHasTypesFor) {
  constexpr const char* k_strategic = "application/strategic-merge-patch+json";
  const auto offers_v2 = [](const char* path) {
    const auto types = openapi_v2().at("paths").at(path).at("patch").at("consumes").as_array();
    return std::ranges::find(types, json::value(k_strategic)) != types.end();
  };
  const auto offers_v3 = [](const char* document, const char* path) {
    return openapi_v3(document)
        ->at("paths")
        .at(path)
        .at("patch")
        .at("requestBody")
        .at("content")
        .as_object()
        .contains(k_strategic);
  };
  EXPECT_TRUE(offers_v2("/api/v1/namespaces/{namespace}/pods/{name}"));
  EXPECT_TRUE(offers_v3("api/v1", "/api/v1/namespaces/{namespace}/pods/{name}"));
  const char* policy = "/apis/projectcalico.org/v3/namespaces/{namespace}/networkpolicies/{name}";
  EXPECT_FALSE(offers_v2(policy));
  EXPECT_FALSE(offers_v3("apis/projectcalico.org/v3", policy));
}

TEST(OpenAPI, Version3HasADocumentForEachGroupVersion) {
  EXPECT_THAT(openapi_v3_paths(),
              testing::ElementsAre("api/v1", "apis/coordination.k8s.io/v1",
                                   "apis/crd.projectcalico.org/v1", "apis/discovery.k8s.io/v1",
                                   "apis/networking.k8s.io/v1", "apis/projectcalico.org/v3"));
  for (const auto& path : openapi_v3_paths()) {
    const auto document = openapi_v3(path);
    ASSERT_TRUE(document);
    expect_references_resolve(*document, document->at("components").at("schemas").as_object(),
                              "#/components/schemas/");
  }
  EXPECT_EQ(openapi_v3("apis/nothing/v1").error().code, base::ErrorCode::not_found);
}

TEST(OpenAPI, IndexNamesEachDocumentWithAHash) {
  const json::object index = openapi_v3_index();
  EXPECT_EQ(index.at("paths").as_object().size(), openapi_v3_paths().size());
  EXPECT_THAT(std::string(index.at("paths").at("api/v1").at("serverRelativeURL").as_string()),
              testing::MatchesRegex("/openapi/v3/api/v1\\?hash=[0-9A-F]{64}"));
}

}  // namespace
}  // namespace margay::api
