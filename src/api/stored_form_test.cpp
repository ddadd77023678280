// What the stored form does to names and fields; src/apiserver/stored_form_test.cpp has the rest.

#include "api/stored_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>

#include "api/schema.h"

namespace margay::api {
namespace {

const Kind& form(const char* plural) {
  return *find_resource(std::string(plural) + ".crd.projectcalico.org");
}

// The fields beyond v3.19 of `schema`, and those of them that are in a list or map.
void add_later(const Schema& schema, const std::string& path, bool is_repeated,
               std::set<std::string>& fields, std::set<std::string>& repeated) {
  for (const auto& field : schema.fields) {
    if (field.is_beyond_v3_19) (is_repeated ? repeated : fields).insert(path + field.name);
    const bool has_items = field.schema->items != nullptr;
    add_later(has_items ? *field.schema->items : *field.schema, path + field.name + ".",
              is_repeated || has_items, fields, repeated);
  }
}

TEST(StoredForm, NamesGoBothWays) {
  const auto& kind = form("networkpolicies");
  for (const auto& [shown, stored] : {std::pair("web", "default.web"),
                                      {"knp.default.web", "knp.default.web"},
                                      {"ossg.default.a.b", "ossg.default.a.b"}}) {
    EXPECT_TRUE(has_form(kind, shown));
    EXPECT_EQ(stored_name(kind, shown), stored);
    EXPECT_EQ(shown_name(kind, stored), shown);
  }
  const auto& pools = form("ippools");
  EXPECT_TRUE(has_form(pools, "a.b"));
  EXPECT_EQ(stored_name(pools, "a.b"), "a.b");
  EXPECT_EQ(shown_name(pools, "a"), "a");
}

TEST(StoredForm, HasNoPolicyOfAnotherTier) {
  for (const char* plural : {"networkpolicies", "globalnetworkpolicies"}) {
    EXPECT_FALSE(has_form(form(plural), "sec.web"));
    EXPECT_FALSE(shown_name(form(plural), "sec.web"));
    EXPECT_FALSE(check_stored_name(form(plural), "sec.web"));
  }
}

// libcalico-go at 9c7cafdba48b has all others; tests/peers compares them.
TEST(StoredForm, FieldsBeyondV319) {
  std::set<std::string> found;
  for (const auto& kind : kinds()) {
    std::set<std::string> fields, repeated;
    if (!kind.shows.empty()) add_later(*kind.schema, "", false, fields, repeated);
    for (const auto& field : fields) found.insert(kind.name + "." + field);
    EXPECT_TRUE(repeated.empty()) << "which of the list's elements keeps it?";
  }
  EXPECT_THAT(found, testing::ElementsAre("FelixConfiguration.spec.floatingIPs",
                                          "GlobalNetworkPolicy.spec.tier",
                                          "IPPool.spec.allowedUses", "NetworkPolicy.spec.tier"));
}

TEST(StoredForm, WhatIsBeyondV319IsKeptUnlessItIsMentioned) {
  const auto before =
      json::parse(R"({"spec":{"cidr":"a","disabled":true,"allowedUses":["Tunnel"]}})").as_object();
  for (const auto& [sent, made] :
       {std::pair(R"({"spec":{"cidr":"a"}})", R"({"spec":{"cidr":"a","allowedUses":["Tunnel"]}})"),
        {R"({"spec":{"allowedUses":[]}})", R"({"spec":{"allowedUses":[]}})"},
        {R"({"spec":{"allowedUses":null}})", R"({"spec":{"allowedUses":null}})"},
        {R"({})", R"({"spec":{"allowedUses":["Tunnel"]}})"},
        {R"({"spec":null})", R"({"spec":{"allowedUses":["Tunnel"]}})"},
        {R"({"spec":"none"})", R"({"spec":"none"})"}}) {
    auto object = json::parse(sent).as_object();
    keep_later_fields(form("ippools"), before, object);
    EXPECT_EQ(object, json::parse(made).as_object()) << sent;
  }
}

}  // namespace
}  // namespace margay::api
