#include "ctl/testing/cluster.h"

#include <gtest/gtest.h>

#include "api/codec.h"

namespace margay::ctl::testing {

Cluster cluster_of(std::string_view yaml) {
  FileObjects files;
  const auto documents = api::parse_yaml(yaml);
  EXPECT_TRUE(documents) << documents.error().message;
  for (const auto& document : *documents) {
    const auto& object = document.get_object();
    const auto* kind = api::find_kind(std::string(object.at("apiVersion").get_string()),
                                      std::string(object.at("kind").get_string()));
    EXPECT_NE(kind, nullptr);
    auto prepared = api::prepare(*kind, object, api::UnknownFields::refuse);
    EXPECT_TRUE(prepared) << prepared.error().message;
    files.objects.push_back({kind, prepared->object, kind->name});
  }
  auto cluster = Cluster::from_files(files);
  EXPECT_TRUE(cluster) << cluster.error().message;
  return std::move(*cluster);
}

}  // namespace margay::ctl::testing
