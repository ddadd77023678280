#include "apiserver/router.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "apiserver/protobuf_body.h"
#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::HasSubstr;

constexpr auto k_config_maps = "/api/v1/namespaces/default/configmaps";
constexpr auto k_policies = "/apis/projectcalico.org/v3/namespaces/default/networkpolicies";
constexpr auto k_pods = "/api/v1/namespaces/default/pods";

std::string config_map(const std::string& name, const std::string& labels = "{}") {
  return R"({"metadata":{"name":")" + name + R"(","labels":)" + labels + R"(},"data":{"a":"1"}})";
}

class CreateTest : public RouterFixture {};

TEST_F(CreateTest, ServerSetsWhatIsItsToSet) {
  const auto reply = post(k_config_maps, config_map("a"));
  ASSERT_EQ(reply.code(), 201) << reply.response.body;
  EXPECT_EQ(reply.text({"apiVersion"}), "v1");
  EXPECT_EQ(reply.text({"kind"}), "ConfigMap");
  EXPECT_EQ(reply.text({"metadata", "namespace"}), "default");
  EXPECT_EQ(reply.text({"metadata", "uid"}).size(), 36u);
  EXPECT_EQ(reply.text({"metadata", "creationTimestamp"}), base::to_rfc3339(clock_.wall_time()));
  EXPECT_FALSE(reply.text({"metadata", "resourceVersion"}).empty());
  EXPECT_EQ(get(std::string(k_config_maps) + "/a").body, reply.body);
}

TEST_F(CreateTest, TakenNameIs409) {
  post(k_config_maps, config_map("a"));
  const auto reply = post(k_config_maps, config_map("a"));
  EXPECT_EQ(reply.code(), 409);
  EXPECT_EQ(reply.text({"reason"}), "AlreadyExists");
  EXPECT_EQ(reply.text({"message"}), R"(configmaps "a" already exists)");
}

TEST_F(CreateTest, GenerateNameMakesNamesThatDiffer) {
  const auto body = R"({"metadata":{"generateName":"x-"}})";
  const auto first = post(k_config_maps, body).text({"metadata", "name"});
  const auto second = post(k_config_maps, body).text({"metadata", "name"});
  EXPECT_THAT(first, testing::StartsWith("x-"));
  EXPECT_EQ(first.size(), 7u);
  EXPECT_NE(first, second);
}

TEST_F(CreateTest, MissingNamespaceIs404) {
  const auto reply = post("/api/v1/namespaces/none/configmaps", config_map("a"));
  EXPECT_EQ(reply.code(), 404);
  EXPECT_EQ(reply.text({"message"}), R"(namespaces "none" not found)");
}

TEST_F(CreateTest, UnknownFieldsByFieldValidation) {
  const auto body =
      R"({"metadata":{"name":"p"},"spec":{"selector":"has(a) || b == 'c'","slector":"x"}})";
  const auto strict = post(std::string(k_policies) + "?fieldValidation=Strict", body);
  EXPECT_EQ(strict.code(), 400);
  EXPECT_THAT(strict.text({"message"}),
              HasSubstr(R"(strict decoding error: unknown field "spec.slector")"));
  const auto ignored = post(std::string(k_policies) + "?fieldValidation=Ignore&dryRun=All", body);
  EXPECT_EQ(ignored.code(), 201);
  EXPECT_EQ(ignored.header("Warning"), "");
  const auto warned = post(k_policies, body);
  EXPECT_EQ(warned.code(), 201);
  EXPECT_EQ(warned.header("Warning"), R"(299 - "unknown field \"spec.slector\"")");
}

TEST_F(CreateTest, InvalidObjectIs422WithEveryCause) {
  const auto reply = post(k_policies, R"({"metadata":{"name":"p"},"spec":{"selector":"a ==",
      "ingress":[{"action":"Maybe"},{"action":"Allow","source":{"nets":["10.0.0.0/33"]}}]}})");
  ASSERT_EQ(reply.code(), 422) << reply.response.body;
  EXPECT_EQ(reply.text({"reason"}), "Invalid");
  std::vector<std::string> fields;
  for (const auto& cause : find_at(reply.body, {"details", "causes"})->as_array())
    fields.emplace_back(text_at(cause.as_object(), {"field"}));
  EXPECT_THAT(fields, testing::UnorderedElementsAre("spec.selector", "spec.ingress[0].action",
                                                    "spec.ingress[1].source.nets[0]"));
}

// As kubectl's own server shows them: not each address with each port.
TEST_F(CreateTest, ManyEndpointsAreAFewInATable) {
  std::string addresses, ports;
  for (int i = 0; i < 2'000; ++i) {
    addresses += fmt::format(R"({}{{"ip":"10.0.{}.{}"}})", i > 0 ? "," : "", i / 250, i % 250);
    ports += fmt::format(R"({}{{"name":"p{}","port":{}}})", i > 0 ? "," : "", i, i + 1);
  }
  const auto made = post("/api/v1/namespaces/default/endpoints",
                         R"({"metadata":{"name":"web"},"subsets":[{"addresses":[)" + addresses +
                             R"(],"ports":[)" + ports + "]}]}");
  ASSERT_EQ(made.code(), 201) << made.response.body.substr(0, 500);
  const auto table =
      get("/api/v1/namespaces/default/endpoints", "application/json;as=Table;v=v1;g=meta.k8s.io");
  EXPECT_THAT(table.response.body, HasSubstr("10.0.0.0:1,10.0.0.0:2,10.0.0.0:3 + 3999997 more..."));
  EXPECT_LT(table.response.body.size(), 3'000u);
}

TEST_F(CreateTest, OfManyCausesTheFirstAreTold) {
  std::string labels;
  for (int i = 0; i < 10'000; ++i)
    labels += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "!\":\"!\"";
  const auto reply = post(k_config_maps, R"({"metadata":{"name":"p","labels":{)" + labels + "}}}");
  ASSERT_EQ(reply.code(), 422);
  EXPECT_LE(find_at(reply.body, {"details", "causes"})->as_array().size(), 101u);
  EXPECT_THAT(reply.text({"message"}), HasSubstr("there are more errors"));
  const auto long_value = post(k_config_maps, R"({"metadata":{"name":"p","labels":{"a":")" +
                                                  std::string(1 << 20, '!') + "\"}}}");
  ASSERT_EQ(long_value.code(), 422);
  EXPECT_LT(long_value.response.body.size(), 20'000u);
}

TEST_F(CreateTest, WhatHasNoProtobufFormIs422InJsonToo) {
  const auto reply = post(k_pods, R"({"metadata":{"name":"p"},"spec":{"nodeName":"n",
      "containers":[{"name":"c","image":"i"}],"affinity":{"nodeAffinity":"x"}}})");
  EXPECT_EQ(reply.code(), 422) << reply.response.body;
  EXPECT_THAT(reply.text({"message"}), HasSubstr("spec.affinity.nodeAffinity: Invalid value"));
}

TEST_F(CreateTest, MalformedBodySaysLineAndColumn) {
  const auto json = post(k_config_maps, "{\"metadata\":\n  {\"name\" \"a\"}}");
  EXPECT_EQ(json.code(), 400);
  EXPECT_THAT(json.text({"message"}), HasSubstr("line 2"));
  const auto yaml = call({.method = Method::post,
                          .target = k_config_maps,
                          .content_type = "application/yaml",
                          .body = "metadata:\n  name: a\n\tbad: 1\n"});
  EXPECT_EQ(yaml.code(), 400);
  EXPECT_THAT(yaml.text({"message"}), HasSubstr("line 3"));
}

TEST_F(CreateTest, DryRunLeavesNothing) {
  const auto reply = post(std::string(k_config_maps) + "?dryRun=All", config_map("a"));
  EXPECT_EQ(reply.code(), 201);
  EXPECT_EQ(get(std::string(k_config_maps) + "/a").code(), 404);
  post(k_config_maps, config_map("a"));
  EXPECT_EQ(post(std::string(k_config_maps) + "?dryRun=All", config_map("a")).code(), 409);
}

TEST_F(CreateTest, OfAnotherKindOrNamespaceThanTheUrlIs400) {
  EXPECT_EQ(
      post(k_config_maps, R"({"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}})").code(),
      400);
  EXPECT_EQ(post(k_config_maps, R"({"metadata":{"name":"a","namespace":"other"}})").code(), 400);
  EXPECT_EQ(post(k_config_maps, R"({"metadata":"a"})").code(), 400);
  EXPECT_EQ(post(k_config_maps, "[]").code(), 400);
}

TEST_F(CreateTest, OverlappingPoolsAreRefused) {
  const std::string pools = "/apis/projectcalico.org/v3/ippools";
  const auto pool = [](const char* name, const char* cidr) {
    return std::string(R"({"metadata":{"name":")") + name + R"("},"spec":{"cidr":")" + cidr +
           R"("}})";
  };
  EXPECT_EQ(post(pools, pool("a", "10.0.0.0/16")).code(), 201);
  EXPECT_EQ(post(pools, pool("b", "10.1.0.0/16")).code(), 201);
  EXPECT_EQ(post(pools, pool("v6", "fd00::/48")).code(), 201);
  EXPECT_EQ(post(pools, pool("a", "10.0.0.0/16")).code(), 409) << "the same pool again";
  const auto inside = post(pools, pool("c", "10.1.2.0/24"));
  EXPECT_EQ(inside.code(), 422);
  EXPECT_NE(inside.text({"message"}).find("overlaps 10.1.0.0/16 of IPPool b"), std::string::npos);
  EXPECT_EQ(post(pools, pool("d", "10.0.0.0/8")).code(), 422);
}

TEST_F(CreateTest, APoolThatCannotBeReadStopsNoOther) {
  ASSERT_TRUE(store_->create({"ippools.projectcalico.org", "", "broken"}, "nonsense"));
  EXPECT_EQ(post("/apis/projectcalico.org/v3/ippools",
                 R"({"metadata":{"name":"a"},"spec":{"cidr":"10.0.0.0/16"}})")
                .code(),
            201);
}

TEST_F(CreateTest, NamesOfWhatTheServerDerivesAreRefused) {
  const char* profiles = "/apis/projectcalico.org/v3/profiles";
  for (const auto& [path, name] :
       {std::pair(k_policies, "knp.default.web"), std::pair(profiles, "kns.default"),
        std::pair(profiles, "ksa.default.web"), std::pair(profiles, "projectcalico-default-allow")})
    EXPECT_EQ(post(path, R"({"metadata":{"name":")" + std::string(name) + R"("}})").code(), 422)
        << name;
  EXPECT_EQ(post(k_policies, R"({"metadata":{"name":"ossg.default.web"}})").code(), 201);
}

class UpdateTest : public RouterFixture {
 protected:
  const std::string object_ = std::string(k_policies) + "/p";
  Reply created_ =
      post(k_policies, R"({"metadata":{"name":"p"},"spec":{"selector":"has(a) || b == 'c'"}})");
};

TEST_F(UpdateTest, GenerationCountsChangesOfTheSpecOnly) {
  auto body = created_.body;
  EXPECT_EQ(integer_at(body, {"metadata", "generation"}), 1);
  metadata_of(body)["labels"] = {{"a", "b"}};
  const auto labelled = put(object_, body);
  ASSERT_EQ(labelled.code(), 200) << labelled.response.body;
  EXPECT_EQ(integer_at(labelled.body, {"metadata", "generation"}), 1);
  body = labelled.body;
  body["spec"].as_object()["selector"] = "a == 'b'";
  EXPECT_EQ(integer_at(put(object_, body).body, {"metadata", "generation"}), 2);
}

TEST_F(UpdateTest, StaleResourceVersionIs409) {
  auto changed = created_.body;
  metadata_of(changed)["labels"] = {{"a", "b"}};
  ASSERT_EQ(put(object_, changed).code(), 200);
  metadata_of(changed)["labels"] = {{"a", "c"}};
  const auto stale = put(object_, changed);
  EXPECT_EQ(stale.code(), 409);
  EXPECT_EQ(stale.text({"reason"}), "Conflict");
  metadata_of(changed).erase("resourceVersion");
  EXPECT_EQ(put(object_, changed).code(), 200) << "without a condition the last one wins";
}

TEST_F(UpdateTest, NoChangeWritesNothing) {
  const auto reply = put(object_, created_.body);
  EXPECT_EQ(reply.code(), 200);
  EXPECT_EQ(reply.text({"metadata", "resourceVersion"}),
            created_.text({"metadata", "resourceVersion"}));
}

TEST_F(UpdateTest, SystemMetadataIsTheServers) {
  auto body = created_.body;
  metadata_of(body)["creationTimestamp"] = "2001-01-01T00:00:00Z";
  metadata_of(body)["generation"] = 99;
  metadata_of(body)["labels"] = {{"a", "b"}};
  const auto reply = put(object_, body);
  EXPECT_EQ(reply.text({"metadata", "creationTimestamp"}),
            created_.text({"metadata", "creationTimestamp"}));
  EXPECT_EQ(integer_at(reply.body, {"metadata", "generation"}), 1);
}

TEST_F(UpdateTest, OtherIncarnationOrNameIsRefused) {
  auto body = created_.body;
  metadata_of(body)["uid"] = "00000000-0000-4000-8000-000000000000";
  EXPECT_EQ(put(object_, body).code(), 409);
  body = created_.body;
  metadata_of(body)["name"] = "other";
  EXPECT_EQ(put(object_, body).code(), 400);
  EXPECT_EQ(put(std::string(k_policies) + "/none", {}).code(), 404);
}

TEST_F(UpdateTest, EachPatchType) {
  const auto json_patch = patch(object_, "json-patch+json",
                                R"([{"op":"add","path":"/metadata/labels","value":{"a":"1"}}])");
  ASSERT_EQ(json_patch.code(), 200) << json_patch.response.body;
  EXPECT_EQ(json_patch.text({"metadata", "labels", "a"}), "1");
  const auto merge =
      patch(object_, "merge-patch+json", R"({"metadata":{"labels":{"a":null,"b":"2"}}})");
  EXPECT_EQ(merge.text({"metadata", "labels", "b"}), "2");
  EXPECT_EQ(find_at(merge.body, {"metadata", "labels", "a"}), nullptr);
  const auto strategic = patch(object_, "strategic-merge-patch+json", R"({"spec":{"order":5}})");
  EXPECT_EQ(integer_at(strategic.body, {"spec", "order"}), 5);
  EXPECT_EQ(patch(object_, "apply-patch+yaml", "{}").code(), 415);
}

TEST_F(UpdateTest, PatchWithAStaleRevisionIs409AndOfNothing404) {
  EXPECT_EQ(patch(object_, "merge-patch+json",
                  R"({"metadata":{"resourceVersion":"1","labels":{"a":"b"}}})")
                .code(),
            409);
  EXPECT_EQ(patch(std::string(k_policies) + "/none", "merge-patch+json", "{}").code(), 404);
  EXPECT_EQ(patch(object_, "merge-patch+json", "{").code(), 400);
}

TEST_F(UpdateTest, PatchesWithoutAConditionAllWin) {
  constexpr int k_writers = 50;
  constexpr int k_patches = 20;
  std::atomic<int> refused = 0;
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < k_writers; ++writer)
    writers.emplace_back([&, writer] {
      for (int number = 0; number < k_patches; ++number) {
        const auto reply = patch(
            object_, "merge-patch+json",
            fmt::format(R"({{"metadata":{{"annotations":{{"w{}-{}":"x"}}}}}})", writer, number));
        if (reply.code() != 200) ++refused;
      }
    });
  writers.clear();
  EXPECT_EQ(refused, 0);
  const auto last = get(object_);
  EXPECT_EQ(find_at(last.body, {"metadata", "annotations"})->as_object().size(),
            size_t{k_writers} * k_patches)
      << "no patch undid another";
}

// A few bytes ask for much: what comes of them is made where there is room for it.
TEST_F(UpdateTest, PatchWithManyCopiesTakesRoom) {
  const auto copy = [&](size_t times, const char* also) {
    std::string operations = R"([{"op":"add","path":"/x","value":[[]]})";
    for (size_t i = 0; i < times; ++i)
      operations += R"(,{"op":"copy","from":"/x/0","path":"/x/-"})";
    return patch(object_, "json-patch+json", operations + also + "]");
  };
  const char* and_is_gone = R"(,{"op":"remove","path":"/x"})";
  const auto few = while_busy([&] { return copy(3, and_is_gone); });
  ASSERT_TRUE(few) << "it waits for nobody";
  EXPECT_EQ(few->code(), 200) << few->response.body;
  const auto many = while_busy([&] { return copy(30, and_is_gone); });
  ASSERT_TRUE(many);
  EXPECT_EQ(many->code(), 429);
  EXPECT_EQ(copy(30, and_is_gone).code(), 200);
}

TEST_F(UpdateTest, PatchThatBreaksTheObjectIs422) {
  const auto reply = patch(object_, "merge-patch+json", R"({"spec":{"selector":"((("}})");
  EXPECT_EQ(reply.code(), 422);
  EXPECT_EQ(get(object_).body, created_.body);
}

class ListTest : public RouterFixture {
 protected:
  ListTest() {
    for (const auto* name : {"a", "b", "c"})
      post(k_config_maps,
           config_map(name, std::string(R"({"tier":")") + (*name == 'b' ? "x" : "y") + "\"}"));
  }
  static std::vector<std::string> names(const Reply& reply) {
    std::vector<std::string> out;
    for (const auto& item : reply.body.at("items").as_array())
      out.emplace_back(text_at(item.as_object(), {"metadata", "name"}));
    return out;
  }
};

TEST_F(ListTest, EverythingWithARevision) {
  const auto reply = get(k_config_maps);
  EXPECT_EQ(reply.text({"kind"}), "ConfigMapList");
  EXPECT_THAT(names(reply), testing::ElementsAre("a", "b", "c"));
  EXPECT_FALSE(reply.text({"metadata", "resourceVersion"}).empty());
}

TEST_F(ListTest, BySelectors) {
  EXPECT_THAT(names(get(std::string(k_config_maps) + "?labelSelector=tier%3Dx")),
              testing::ElementsAre("b"));
  EXPECT_THAT(names(get(std::string(k_config_maps) + "?fieldSelector=metadata.name%3Dc")),
              testing::ElementsAre("c"));
  EXPECT_THAT(names(get(std::string(k_config_maps) + "?fieldSelector=metadata.namespace%3Dother")),
              testing::IsEmpty());
  EXPECT_EQ(get(std::string(k_config_maps) + "?labelSelector=a%20like%20b").code(), 400);
  EXPECT_EQ(get(std::string(k_config_maps) + "?fieldSelector=data.a%3D1").code(), 400);
}

TEST_F(ListTest, InPagesOfOneSnapshot) {
  const auto first = get(std::string(k_config_maps) + "?limit=2");
  EXPECT_THAT(names(first), testing::ElementsAre("a", "b"));
  EXPECT_EQ(integer_at(first.body, {"metadata", "remainingItemCount"}), 1);
  remove(std::string(k_config_maps) + "/c");
  const auto second =
      get(std::string(k_config_maps) + "?limit=2&continue=" + first.text({"metadata", "continue"}));
  EXPECT_THAT(names(second), testing::ElementsAre("c")) << "as of the first page";
  EXPECT_EQ(second.text({"metadata", "continue"}), "");
}

TEST_F(ListTest, ByRevision) {
  const auto revision = get(k_config_maps).text({"metadata", "resourceVersion"});
  const auto at = [&](const std::string& query) {
    return get(std::string(k_config_maps) + "?" + query).code();
  };
  EXPECT_EQ(at("resourceVersion=0"), 200);
  EXPECT_EQ(at("resourceVersion=1"), 200);
  EXPECT_EQ(at("resourceVersion=" + revision + "&resourceVersionMatch=Exact"), 200);
  EXPECT_EQ(at("resourceVersion=1&resourceVersionMatch=Exact"), 410);
  EXPECT_EQ(at("resourceVersion=999999"), 504);
  EXPECT_EQ(at("resourceVersion=x"), 400);
  EXPECT_EQ(at("resourceVersionMatch=Exact"), 400);
  EXPECT_EQ(at("limit=x"), 400);
}

TEST_F(ListTest, AsTableMetadataAndYaml) {
  const auto table = get(k_config_maps, "application/json;as=Table;v=v1;g=meta.k8s.io");
  EXPECT_EQ(table.text({"kind"}), "Table");
  EXPECT_EQ(table.body.at("rows").as_array().size(), 3u);
  EXPECT_EQ(text_at(table.body.at("columnDefinitions").at(0).as_object(), {"name"}), "Name");
  EXPECT_EQ(text_at(table.body.at("rows").at(0).as_object(), {"object", "kind"}),
            "PartialObjectMetadata");
  const auto partial = get(std::string(k_config_maps) + "/a",
                           "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
  EXPECT_EQ(partial.text({"metadata", "name"}), "a");
  EXPECT_FALSE(partial.body.contains("data"));
  const auto yaml = get(std::string(k_config_maps) + "/a", "application/yaml");
  EXPECT_EQ(yaml.response.content_type, "application/yaml");
  EXPECT_THAT(yaml.response.body, HasSubstr("kind: ConfigMap\n"));
  EXPECT_EQ(get(k_policies, "application/vnd.kubernetes.protobuf").code(), 406)
      << "as of any custom resource";
}

TEST_F(ListTest, InProtobuf) {
  constexpr auto k_protobuf = "application/vnd.kubernetes.protobuf,application/json";
  const auto list = get(k_config_maps, k_protobuf);
  EXPECT_EQ(list.response.content_type, "application/vnd.kubernetes.protobuf");
  ASSERT_TRUE(list.response.body.starts_with(std::string("k8s\0", 4)));
  EXPECT_THAT(list.response.body, HasSubstr("ConfigMapList"));
  const auto one = get(std::string(k_config_maps) + "/a", k_protobuf);
  const auto object = parse_protobuf(one.response.body);
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(*object, get(std::string(k_config_maps) + "/a").body) << "as in JSON";
  EXPECT_EQ(get(k_policies, k_protobuf).response.content_type, "application/json");
}

class PathTest : public RouterFixture {};

TEST_F(PathTest, UnknownOnesAndWrongMethods) {
  EXPECT_EQ(get("/nothing").code(), 404);
  EXPECT_EQ(get("/api/v2/pods").code(), 404);
  EXPECT_EQ(get("/apis/projectcalico.org/v1/ippools").code(), 404);
  EXPECT_EQ(get("/api/v1/pods/p").code(), 404) << "a pod is in a namespace";
  EXPECT_EQ(post("/api/v1/namespaces/default", "{}").code(), 405);
  EXPECT_EQ(put(k_config_maps, {}).code(), 405);
  EXPECT_EQ(remove("/api/v1/namespaces").code(), 405) << "not all at once";
  EXPECT_EQ(post("/version", "").code(), 405);
}

TEST_F(PathTest, Documents) {
  EXPECT_EQ(get("/healthz").response.body, "ok");
  EXPECT_THAT(get("/version").text({"gitVersion"}), testing::StartsWith("v1."));
  EXPECT_EQ(get("/api").text({"kind"}), "APIVersions");
  EXPECT_EQ(get("/apis").text({"kind"}), "APIGroupList");
  EXPECT_EQ(get("/apis/projectcalico.org").text({"kind"}), "APIGroup");
  EXPECT_EQ(get("/apis/projectcalico.org/v3").text({"groupVersion"}), "projectcalico.org/v3");
  EXPECT_EQ(get("/apis/none.example").code(), 404);
  const auto aggregated =
      get("/apis",
          "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json");
  EXPECT_EQ(aggregated.text({"apiVersion"}), "apidiscovery.k8s.io/v2");
  EXPECT_EQ(get("/openapi/v2").text({"swagger"}), "2.0");
  EXPECT_TRUE(get("/openapi/v3").body.contains("paths"));
  EXPECT_TRUE(get("/openapi/v3/apis/projectcalico.org/v3").body.contains("components"));
}

TEST_F(RouterFixture, WarningsFitIntoHeaders) {
  std::string unknown;
  for (int i = 0; i < 20'000; ++i) unknown += ",\"u" + std::to_string(i) + "\":1";
  const auto reply =
      post("/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"})" + unknown + "}");
  EXPECT_EQ(reply.code(), 201);
  size_t bytes = 0;
  for (const auto& [name, value] : reply.response.headers) bytes += value.size();
  EXPECT_LT(bytes, 5'000u);
  EXPECT_LT(reply.response.headers.size(), 90u) << "some clients take a hundred at most";
  EXPECT_THAT(reply.response.headers.back().second, testing::HasSubstr("warnings more"));
}

}  // namespace
}  // namespace margay::apiserver
