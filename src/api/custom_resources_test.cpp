#include "api/custom_resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "api/json_path.h"

namespace margay::api {
namespace {

// Whether every schema in `schema` has a type, or is open: what makes it structural.
bool is_structural(const json::object& schema) {
  if (schema.contains("x-kubernetes-preserve-unknown-fields") ||
      schema.contains("x-kubernetes-int-or-string"))
    return true;
  const auto type = text_at(schema, {"type"});
  if (type.empty() || schema.contains("$ref")) return false;
  for (const auto& [name, field] : object_at(schema, {"properties"}))
    if (!is_structural(field.get_object())) return false;
  if (const auto* items = schema.if_contains("items"))
    if (!is_structural(items->get_object())) return false;
  const auto* values = schema.if_contains("additionalProperties");
  return values == nullptr || is_structural(values->get_object());
}

TEST(CustomResources, EveryKindThatCalicoKeepsHasADefinition) {
  std::set<std::string> names;
  for (const auto& value : custom_resource_definitions()) {
    const auto& definition = value.get_object();
    names.emplace(text_at(definition, {"metadata", "name"}));
    const auto& version = list_at(definition, {"spec", "versions"}).at(0).get_object();
    EXPECT_TRUE(is_structural(object_at(version, {"schema", "openAPIV3Schema"})))
        << text_at(definition, {"metadata", "name"});
  }
  // Those of Calico v3.19's manifest.
  for (const auto* name :
       {"bgpconfigurations", "bgppeers", "blockaffinities", "clusterinformations",
        "felixconfigurations", "globalnetworkpolicies", "globalnetworksets", "hostendpoints",
        "ipamblocks", "ipamconfigs", "ipamhandles", "ippools", "kubecontrollersconfigurations",
        "networkpolicies", "networksets"})
    EXPECT_TRUE(names.contains(std::string(name) + ".crd.projectcalico.org")) << name;
}

TEST(CustomResources, ASchemaSaysTypesAndWhatIsNeeded) {
  const auto schema = structural_schema(*find_resource("ippools.crd.projectcalico.org"));
  const auto& spec = object_at(schema, {"properties", "spec"});
  EXPECT_EQ(text_at(spec, {"properties", "cidr", "type"}), "string");
  EXPECT_EQ(text_at(spec, {"properties", "blockSize", "type"}), "integer");
  EXPECT_THAT(list_at(spec, {"required"}), testing::Contains(json::value("cidr")));
}

}  // namespace
}  // namespace margay::api
