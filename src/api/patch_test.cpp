#include "api/patch.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/kind.h"

namespace margay::api {
namespace {

// ---- JSON Patch: the examples of RFC 6902, appendix A
// --------------------------------------------

struct JsonPatchCase {
  const char* name;
  const char* document;
  const char* patch;
  const char* result;  // the document, or the error's message
};

TEST(JsonPatch, ExamplesOfTheRfc) {
  const std::vector<JsonPatchCase> cases{
      {"A.1 adding a member", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
       R"({"foo":"bar","baz":"qux"})"},
      {"A.2 adding an element", R"({"foo":["bar","baz"]})",
       R"([{"op":"add","path":"/foo/1","value":"qux"}])", R"({"foo":["bar","qux","baz"]})"},
      {"A.3 removing a member", R"({"baz":"qux","foo":"bar"})",
       R"([{"op":"remove","path":"/baz"}])", R"({"foo":"bar"})"},
      {"A.4 removing an element", R"({"foo":["bar","qux","baz"]})",
       R"([{"op":"remove","path":"/foo/1"}])", R"({"foo":["bar","baz"]})"},
      {"A.5 replacing a value", R"({"baz":"qux","foo":"bar"})",
       R"([{"op":"replace","path":"/baz","value":"boo"}])", R"({"baz":"boo","foo":"bar"})"},
      {"A.6 moving a value", R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
       R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
       R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
      {"A.7 moving an element", R"({"foo":["all","grass","cows","eat"]})",
       R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
       R"({"foo":["all","cows","eat","grass"]})"},
      {"A.8 testing a value", R"({"baz":"qux","foo":["a",2,"c"]})",
       R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
       R"({"baz":"qux","foo":["a",2,"c"]})"},
      {"A.9 testing a value, failing", R"({"baz":"qux"})",
       R"([{"op":"test","path":"/baz","value":"bar"}])", "operation 0: the test failed"},
      {"A.10 adding a nested object", R"({"foo":"bar"})",
       R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
       R"({"foo":"bar","child":{"grandchild":{}}})"},
      {"A.11 ignoring unknown elements", R"({"foo":"bar"})",
       R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])", R"({"foo":"bar","baz":"qux"})"},
      {"A.12 adding to nowhere", R"({"foo":"bar"})",
       R"([{"op":"add","path":"/baz/bat","value":"qux"}])",
       "operation 0: path \"/baz/bat\" does not exist"},
      {"A.14 escapes", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])",
       R"({"/":9,"~1":10})"},
      {"A.15 strings are no numbers", R"({"/":9,"~1":10})",
       R"([{"op":"test","path":"/~01","value":"10"}])", "operation 0: the test failed"},
      {"A.16 adding an array", R"({"foo":["bar"]})",
       R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
       R"({"foo":["bar",["abc","def"]]})"}};
  for (const auto& one : cases) {
    const auto patched = apply_json_patch(json::parse(one.document), json::parse(one.patch));
    if (patched)
      EXPECT_EQ(*patched, json::parse(one.result)) << one.name;
    else
      EXPECT_EQ(patched.error().message, one.result) << one.name;
  }
}

TEST(JsonPatch, RefusesWhatIsMalformed) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({})", "a JSON patch must be a list of operations"},
      {R"([1])", "operation 0: must be an object"},
      {R"([{"op":"add","path":"/a"}])", "operation 0: needs a \"value\""},
      {R"([{"op":"grow","path":"/a"}])", "operation 0: unknown operation \"grow\""},
      {R"([{"op":"remove","path":"a"}])",
       "operation 0: path \"a\" must be empty or begin with \"/\""},
      {R"([{"op":"add","path":"/list/01","value":1}])",
       "operation 0: path \"/list/01\" does not exist"},
      {R"([{"op":"add","path":"/list/2","value":1}])",
       "operation 0: path \"/list/2\" does not exist"},
      {R"([{"op":"move","from":"/o","path":"/o/p"}])",
       "operation 0: cannot move a value into itself"}};
  for (const auto& [patch, message] : cases) {
    const auto patched =
        apply_json_patch(json::parse(R"({"list":[0],"o":{}})"), json::parse(patch));
    ASSERT_FALSE(patched) << patch;
    EXPECT_EQ(patched.error().message, message);
  }
}

// ---- merge patch: the examples of RFC 7396, appendix A
// --------------------------------------------

TEST(MergePatch, ExamplesOfTheRfc) {
  const std::vector<std::array<const char*, 3>> cases{
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"(null)", R"(null)"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}};
  for (const auto& [document, patch, result] : cases)
    EXPECT_EQ(apply_merge_patch(json::parse(document), json::parse(patch)), json::parse(result))
        << document << " + " << patch;
}

// ---- strategic merge patch ----------------------------------------------------------------------

struct StrategicCase {
  const char* name;
  const char* before;
  const char* patch;
  const char* after;  // the document, or the error's message
};

// Dropped, it would leave a selector that chooses everything.
TEST(StrategicMergePatch, OfAPolicyKeepsALabelWithoutAValue) {
  const char* wanted =
      R"({"spec":{"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":null}}}]}]}})";
  const Schema& schema = *find_kind("networking.k8s.io/v1", "NetworkPolicy")->schema;
  for (const char* before :
       {R"({"spec":{"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]}]}})",
        R"({"spec":{}})", R"({"spec":{"ingress":[]}})"})
    EXPECT_EQ(*apply_strategic_merge_patch(schema, json::parse(before), json::parse(wanted)),
              json::parse(wanted))
        << before;
  EXPECT_EQ(*apply_strategic_merge_patch(
                schema, json::parse(R"({"spec":{"podSelector":{"matchLabels":{"app":"web"}}}})"),
                json::parse(
                    R"({"spec":{"podSelector":{"$patch":"replace","matchLabels":{"app":null}}}})")),
            json::parse(R"({"spec":{"podSelector":{"matchLabels":{"app":null}}}})"));
}

// Whatever was made of one would be another policy than was meant: [] from everyone, {} everything.
TEST(StrategicMergePatch, OfAPolicyRefusesDirectivesWhereListsAreReplaced) {
  const Schema& schema = *find_kind("networking.k8s.io/v1", "NetworkPolicy")->schema;
  const char* web = R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]})";
  for (const auto& ingress : {fmt::format(R"([{{"$patch":"replace"}},{}])", web),
                              std::string(R"([{"$patch":"delete","from":[]}])"),
                              std::string(R"([{"from":[{"$patch":"delete","podSelector":{}}]}])")})
    for (const auto& before :
         {fmt::format(R"({{"spec":{{"ingress":[{}]}}}})", web), std::string(R"({"spec":{}})")}) {
      const auto patched = apply_strategic_merge_patch(
          schema, json::parse(before),
          json::parse(fmt::format(R"({{"spec":{{"ingress":{}}}}})", ingress)));
      ASSERT_FALSE(patched) << before << ingress;
      EXPECT_THAT(patched.error().message, testing::HasSubstr("no directives"));
    }
}

TEST(StrategicMergePatch, OfAPod) {
  const std::vector<StrategicCase> cases{
      {"a container by its name",
       R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"2"}]}})",
       R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]}})"},
      {"a new container", R"({"spec":{"containers":[{"name":"a","image":"1"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"2"}]}})",
       R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]}})"},
      {"a null of a new element is judged with the whole",
       R"({"spec":{"containers":[{"name":"a","image":"1"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"2","command":null}]}})",
       R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2","command":null}]}})"},
      {"a container less", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})",
       R"({"spec":{"containers":[{"name":"b"}]}})"},
      {"other containers altogether", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}})",
       R"({"spec":{"containers":[{"name":"c"}]}})"},
      {"a list without strategy", R"({"spec":{"containers":[{"name":"a","args":["x","y"]}]}})",
       R"({"spec":{"containers":[{"name":"a","args":["z"]}]}})",
       R"({"spec":{"containers":[{"name":"a","args":["z"]}]}})"},
      {"deep merges",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"1"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"2"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"2"},{"name":"Y","value":"1"}]}]}})"},
      {"an order", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}],"containers":[{"name":"c"}]}})",
       R"({"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}})"},
      {"an order that leaves others where they were",
       R"({"spec":{"containers":[{"name":"mine1"},{"name":"other"},{"name":"mine2"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"mine1"},{"name":"mine2"}]}})",
       R"({"spec":{"containers":[{"name":"mine1"},{"name":"other"},{"name":"mine2"}]}})"},
      {"finalizers are a set", R"({"metadata":{"finalizers":["a","b"]}})",
       R"({"metadata":{"finalizers":["b","c"]}})", R"({"metadata":{"finalizers":["a","b","c"]}})"},
      {"values deleted from a set", R"({"metadata":{"finalizers":["a","b"]}})",
       R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]}})",
       R"({"metadata":{"finalizers":["b","c"]}})"},
      {"keys that are retained", R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
       R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/"}}]}})",
       R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/"}}]}})"},
      {"a label less", R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
       R"({"metadata":{"labels":{"a":null}}})", R"({"metadata":{"labels":{"b":"2"}}})"},
      {"an object replaced", R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
       R"({"metadata":{"labels":{"$patch":"replace","c":"3"}}})",
       R"({"metadata":{"labels":{"c":"3"}}})"},
      {"an element without its key", R"({"spec":{"containers":[{"name":"a"}]}})",
       R"({"spec":{"containers":[{"image":"2"}]}})",
       "spec: containers: an element of the list has no merge key \"name\""},
      {"a directive that is none", R"({"spec":{}})", R"({"spec":{"$patch":"grow"}})",
       "spec: $patch must be \"replace\", \"delete\" or \"merge\""}};
  const Schema& schema = *find_kind("v1", "Pod")->schema;
  for (const auto& one : cases) {
    const auto patched =
        apply_strategic_merge_patch(schema, json::parse(one.before), json::parse(one.patch));
    if (patched)
      EXPECT_EQ(json::serialize(*patched), json::serialize(json::parse(one.after))) << one.name;
    else
      EXPECT_EQ(patched.error().message, one.after) << one.name;
  }
}

// ---- what a patch may take
// -----------------------------------------------------------------------

std::string repeated(std::string_view text, size_t times, std::string_view separator = ",") {
  std::string out;
  for (size_t i = 0; i < times; ++i) {
    if (i > 0) out += separator;
    out += text;
  }
  return out;
}

std::string nested(size_t depth) {
  return repeated(R"({"a":)", depth, "") + "1" + std::string(depth, '}');
}

struct Bomb {
  const char* name;
  std::string document;
  std::string patch;
  const char* refusal;
};

TEST(JsonPatch, PatchesThatAskForTooMuchAreRefused) {
  const std::string long_list = "[" + repeated("0", 200'000) + "]";
  const std::string long_text(100, 'x');
  const std::vector<Bomb> bombs{
      {"copies of copies", R"({"a":{"x":")" + long_text + R"("}})",
       "[" +
           repeated(
               R"({"op":"copy","from":"","path":"/a/b"},{"op":"copy","from":"/a","path":"/c"})",
               30) +
           "]",
       "would be larger than 3145728 bytes"},
      {"a list that doubles", R"({"a":[")" + long_text + R"("]})",
       "[" + repeated(R"({"op":"copy","from":"/a","path":"/a/-"})", 30) + "]",
       "would be larger than 3145728 bytes"},
      {"a list of lists that doubles", R"({"a":[[],[],[],[]]})",
       "[" + repeated(R"({"op":"copy","from":"/a","path":"/a/-"})", 30) + "]",
       "would have more than 262144 values and keys"},
      {"keys that double", R"({"a":{"x":{}}})",
       "[" +
           repeated(
               R"({"op":"copy","from":"","path":"/a/b"},{"op":"copy","from":"/a","path":"/c"})",
               30) +
           "]",
       "would have more than 262144 values and keys"},
      {"more operations than anybody needs", "{}",
       "[" + repeated(R"({"op":"add","path":"/a","value":1})", 10'001) + "]",
       "may have 10000 operations, not 10001"},
      {"nesting", R"({"x":1})", R"([{"op":"add","path":"/y","value":)" + nested(100) + "}]",
       "would nest deeper than 100"},
      {"nesting by moves", R"({"a":)" + nested(60) + R"(,"b":)" + nested(60) + "}",
       R"([{"op":"move","from":"/a","path":"/b)" + repeated("/a", 59, "") + R"("}])",
       "would nest deeper than 100"},
      {"always at the front of a long list", R"({"a":)" + long_list + "}",
       "[" + repeated(R"({"op":"add","path":"/a/0","value":1})", 1'000) + "]", "too many steps"},
      {"the same long value, moved to and fro", R"({"a":)" + long_list + "}",
       "[" +
           repeated(
               R"({"op":"move","from":"/a","path":"/b"},{"op":"move","from":"/b","path":"/a"})",
               1'000) +
           "]",
       "too many steps"}};
  for (const auto& bomb : bombs) {
    const auto patched = apply_json_patch(json::parse(bomb.document, {}, {.max_depth = 110}),
                                          json::parse(bomb.patch, {}, {.max_depth = 110}));
    ASSERT_FALSE(patched) << bomb.name;
    EXPECT_THAT(patched.error().message, testing::HasSubstr(bomb.refusal)) << bomb.name;
  }
}

TEST(JsonPatch, LongPatchesOfAnOrdinaryKindApply) {
  const auto patched = apply_json_patch(
      json::parse(R"({"a":[]})"),
      json::parse("[" + repeated(R"({"op":"add","path":"/a/-","value":"x"})", 5'000) + "]"));
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ(patched->at("a").as_array().size(), 5'000u);
}

// What leaves is counted off.
TEST(JsonPatch, ManyValuesMayComeAndGo) {
  const auto patched = apply_json_patch(
      json::parse(R"({"a":[)" + repeated("0", 100'000) + "]}"),
      json::parse(
          "[" +
          repeated(R"({"op":"copy","from":"/a","path":"/b"},{"op":"remove","path":"/b"})", 10) +
          R"(,{"op":"move","from":"/a","path":"/c"},{"op":"replace","path":"/c","value":[1]})" +
          "]"));
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ(json::serialize(*patched), R"({"c":[1]})");
}

TEST(JsonPatch, CopiesAreCounted) {
  const auto copies = [](const char* patch) { return copies_in(json::parse(patch)); };
  EXPECT_EQ(copies(R"([{"op":"copy"},{"op":"add"},{"op":"copy","from":"","path":"/a"}])"), 2U);
  EXPECT_EQ(copies(R"([{"op":["copy"]},"copy",{"from":"copy"}])"), 0U);
  EXPECT_EQ(copies(R"({"op":"copy"})"), 0U);
}

std::string names(const char* prefix, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i)
    out += std::string(i > 0 ? "," : "") + '"' + prefix + std::to_string(i) + '"';
  return out;
}

TEST(StrategicMerge, ListsThatWouldTakeTooLongAreRefused) {
  const Schema& schema = *find_kind("v1", "Pod")->schema;
  const std::vector<Bomb> bombs{
      {"a set", R"({"metadata":{"finalizers":[)" + names("a", 20'000) + "]}}",
       R"({"metadata":{"finalizers":[)" + names("b", 20'000) + "]}}", "too many steps"},
      {"deletions", R"({"metadata":{"finalizers":[)" + names("a", 20'000) + "]}}",
       R"({"metadata":{"$deleteFromPrimitiveList/finalizers":[)" + names("b", 20'000) + "]}}",
       "too many steps"},
      {"an order", R"({"metadata":{"finalizers":[)" + names("a", 20'000) + "]}}",
       R"({"metadata":{"$setElementOrder/finalizers":[)" + names("b", 20'000) + "]}}",
       "too many steps"}};
  for (const auto& bomb : bombs) {
    const auto patched =
        apply_strategic_merge_patch(schema, json::parse(bomb.document), json::parse(bomb.patch));
    ASSERT_FALSE(patched) << bomb.name;
    EXPECT_THAT(patched.error().message, testing::HasSubstr(bomb.refusal)) << bomb.name;
  }
}

}  // namespace
}  // namespace margay::api
