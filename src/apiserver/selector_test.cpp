#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "apiserver/field_selector.h"
#include "apiserver/label_selector.h"

namespace margay::apiserver {
namespace {

namespace json = boost::json;

struct LabelCase {
  const char* selector;
  const char* labels;  // JSON, or null for none
  bool matches;
};

TEST(LabelSelectorTest, MatchesAsKubernetesDoes) {
  const LabelCase cases[] = {
      {"", nullptr, true},
      {"app=web", R"({"app":"web"})", true},
      {"app==web", R"({"app":"web"})", true},
      {"app=web", R"({"app":"db"})", false},
      {"app=web", nullptr, false},
      {"app!=web", R"({"app":"db"})", true},
      {"app!=web", nullptr, true},
      {"app!=web", R"({"app":"web"})", false},
      {"app in (web, db)", R"({"app":"db"})", true},
      {"app in (web,db)", R"({"app":"x"})", false},
      {"app notin (web,db)", R"({"app":"x"})", true},
      {"app notin (web,db)", R"({"app":"web"})", false},
      {"app notin (web)", nullptr, true},
      {"app", R"({"app":""})", true},
      {"app", R"({"tier":"x"})", false},
      {"!app", R"({"tier":"x"})", true},
      {"!app", R"({"app":"x"})", false},
      {"app=", R"({"app":""})", true},
      {"app=", R"({"app":"x"})", false},
      {"example.com/a.b_c-d=x", R"({"example.com/a.b_c-d":"x"})", true},
      {"n>3", R"({"n":"4"})", true},
      {"n>3", R"({"n":"3"})", false},
      {"n<3", R"({"n":"-1"})", true},
      {"n<3", R"({"n":"few"})", false},
      {"app=web,tier=front", R"({"app":"web","tier":"front"})", true},
      {"app=web,tier=front", R"({"app":"web"})", false},
      {" app = web , tier in ( a , b ) ", R"({"app":"web","tier":"b"})", true},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(std::string(test.selector) + " on " + (test.labels ? test.labels : "none"));
    const auto selector = LabelSelector::parse(test.selector);
    ASSERT_TRUE(selector) << selector.error().message;
    const auto labels = test.labels ? json::parse(test.labels) : json::value();
    EXPECT_EQ(selector->matches(labels.if_object()), test.matches);
  }
}

TEST(LabelSelectorTest, RefusesWhatItCannotRead) {
  for (const auto* text : {"=x", "app in web", "app in (web", "app=web tier=x", "app,,tier",
                           "app like x", "n>few", ",", "!", "app=web,"}) {
    const auto selector = LabelSelector::parse(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_EQ(selector.error().code, base::ErrorCode::invalid) << text;
  }
}

const api::Kind& kind(std::string_view resource) { return *api::find_resource(resource); }

// A watch keeps them for as long as it lasts.
TEST(LabelSelectorTest, HasSoManyTermsAndNoMore) {
  std::string keys = "a", values = "a in (b";
  for (int i = 1; i < 1'024; ++i) keys += ",a";
  for (int i = 2; i < 1'024; ++i) values += ",b";
  EXPECT_TRUE(LabelSelector::parse(keys));
  EXPECT_FALSE(LabelSelector::parse(keys + ",a"));
  EXPECT_TRUE(LabelSelector::parse(values + ")"));
  EXPECT_FALSE(LabelSelector::parse(values + ",b)"));
}

TEST(FieldSelectorTest, MatchesTheFieldsOfTheKind) {
  const auto pod = json::parse(R"({"metadata":{"name":"a","namespace":"n"},
      "spec":{"nodeName":"node1"},"status":{"phase":"Running"}})");
  const std::pair<const char*, bool> cases[] = {
      {"", true},
      {"metadata.name=a", true},
      {"metadata.name!=a", false},
      {"metadata.namespace==n", true},
      {"spec.nodeName=node1,status.phase=Running", true},
      {"spec.nodeName=node1,status.phase!=Running", false},
      {"spec.nodeName=", false},
      {"spec.hostNetwork=false", true},
  };
  for (const auto& [text, matches] : cases) {
    const auto selector = FieldSelector::parse(kind("pods"), text);
    ASSERT_TRUE(selector) << text;
    EXPECT_EQ(selector->matches(pod.as_object()), matches) << text;
  }
}

TEST(FieldSelectorTest, RefusesFieldsItWouldIgnore) {
  EXPECT_FALSE(FieldSelector::parse(kind("pods"), "spec.containers=x"));
  EXPECT_FALSE(FieldSelector::parse(kind("nodes"), "metadata.namespace=x"));
  EXPECT_FALSE(FieldSelector::parse(kind("ippools.projectcalico.org"), "spec.nodeName=x"));
  EXPECT_FALSE(FieldSelector::parse(kind("pods"), "metadata.name"));
}

TEST(FieldSelectorTest, ExtractsWhatTheStoreLooksUp) {
  auto selector = FieldSelector::parse(kind("pods"), "metadata.name=a,status.phase=Running");
  ASSERT_TRUE(selector);
  EXPECT_EQ(selector->extract("metadata.name"), "a");
  EXPECT_EQ(selector->extract("metadata.name"), std::nullopt);
  EXPECT_EQ(selector->requirements().size(), 1u);
}

}  // namespace
}  // namespace margay::apiserver
