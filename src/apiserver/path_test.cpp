#include "apiserver/path.h"

#include <gtest/gtest.h>

namespace margay::apiserver {
namespace {

struct PathCase {
  std::string name;
  std::string path;
  std::optional<ResourcePath> expected;
};

class ResourcePathTest : public testing::TestWithParam<PathCase> {};

TEST_P(ResourcePathTest, IsReadAsKubernetesDoes) {
  EXPECT_EQ(parse_resource_path(GetParam().path), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, ResourcePathTest,
    testing::Values(
        PathCase{"CoreCollection", "/api/v1/pods", ResourcePath{"", "v1", "", "pods", "", ""}},
        PathCase{"InNamespace", "/api/v1/namespaces/a/pods",
                 ResourcePath{"", "v1", "a", "pods", "", ""}},
        PathCase{"Object", "/api/v1/namespaces/a/pods/b",
                 ResourcePath{"", "v1", "a", "pods", "b", ""}},
        PathCase{"Status", "/api/v1/namespaces/a/pods/b/status",
                 ResourcePath{"", "v1", "a", "pods", "b", "status"}},
        PathCase{"NamespaceItself", "/api/v1/namespaces/a",
                 ResourcePath{"", "v1", "", "namespaces", "a", ""}},
        PathCase{"NamespaceStatus", "/api/v1/namespaces/a/status",
                 ResourcePath{"", "v1", "", "namespaces", "a", "status"}},
        PathCase{"NamedGroup", "/apis/projectcalico.org/v3/globalnetworkpolicies/x",
                 ResourcePath{"projectcalico.org", "v3", "", "globalnetworkpolicies", "x", ""}},
        PathCase{"NamedGroupInNamespace", "/apis/projectcalico.org/v3/namespaces/a/networkpolicies",
                 ResourcePath{"projectcalico.org", "v3", "a", "networkpolicies", "", ""}},
        PathCase{"GroupAlone", "/apis/projectcalico.org", std::nullopt},
        PathCase{"VersionAlone", "/apis/projectcalico.org/v3", std::nullopt},
        PathCase{"CoreVersionAlone", "/api/v1", std::nullopt},
        PathCase{"TooDeep", "/api/v1/namespaces/a/pods/b/status/c", std::nullopt},
        PathCase{"EmptySegment", "/api/v1//pods", std::nullopt},
        PathCase{"TrailingSlash", "/api/v1/pods/", std::nullopt},
        PathCase{"NoResource", "/healthz", std::nullopt}),
    [](const auto& param) { return param.param.name; });

TEST(TargetTest, DecodesPathAndQuery) {
  const auto target =
      parse_target("/api/v1/pods?labelSelector=app%20in%20%28a%2Cb%29&limit=500&watch");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/api/v1/pods");
  EXPECT_EQ(target->query,
            (Query{{"labelSelector", "app in (a,b)"}, {"limit", "500"}, {"watch", ""}}));
}

TEST(TargetTest, AnAbsoluteFormIsItsPath) {
  for (const auto* target :
       {"https://10.0.0.1:6443/api/v1/pods?limit=1", "http://x/api/v1/pods?limit=1"}) {
    const auto parsed = parse_target(target);
    ASSERT_TRUE(parsed) << target;
    EXPECT_EQ(parsed->path, "/api/v1/pods");
    EXPECT_EQ(parsed->query, (Query{{"limit", "1"}}));
  }
}

TEST(TargetTest, RefusesWhatIsNoPath) {
  for (const auto* target :
       {"*", "ftp://x/y", "http:/y", "x/y", "/a%zz", "https://x/a%2fb", "/api/v1/pods/a%2fb"}) {
    const auto parsed = parse_target(target);
    ASSERT_FALSE(parsed) << target;
    EXPECT_EQ(parsed.error().code, 400) << target;
  }
}

}  // namespace
}  // namespace margay::apiserver
