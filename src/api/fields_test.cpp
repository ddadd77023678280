#include "api/fields.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <functional>

#include "base/address.h"

namespace margay::api {
namespace {

namespace json = boost::json;
using base::FieldPath;

std::string told(std::string_view document, const std::function<void(Fields&)>& read) {
  Fields::Errors errors;
  const auto value = json::parse(document);
  Fields fields(value, {}, errors);
  read(fields);
  return errors.empty() ? "" : base::fail(std::move(errors)).error().message;
}

TEST(FieldPath, IsWrittenAsKubernetesDoes) {
  const FieldPath document;
  const auto users = document.field("users");
  const auto admin = users.key("admin");
  const auto item = users.item(2);
  EXPECT_EQ(document.text(), "");
  EXPECT_EQ(admin.field("token").text(), "users[admin].token");
  EXPECT_EQ(item.field("name").text(), "users[2].name");
}

TEST(Fields, ReadWhatIsThere) {
  EXPECT_EQ(told(R"({"text": "a", "empty": "", "nothing": null, "number": 7, "yes": true,
                     "list": ["a", "b"], "nets": ["10.0.0.0/8"], "inner": {"deep": "x"}})",
                 [](Fields& fields) {
                   EXPECT_EQ(fields.text("text"), "a");
                   EXPECT_EQ(fields.text("empty"), "");
                   EXPECT_EQ(fields.text("nothing"), std::nullopt);
                   EXPECT_EQ(fields.text("absent"), std::nullopt);
                   EXPECT_EQ(fields.number("number", 0, 7), 7);
                   EXPECT_TRUE(fields.flag("yes"));
                   EXPECT_FALSE(fields.flag("nothing"));
                   EXPECT_TRUE(fields.flag("absent", true));
                   EXPECT_EQ(fields.texts("list"), (std::vector<std::string>{"a", "b"}));
                   EXPECT_EQ(fields.all_parsed("nets", base::Prefix::parse, "").size(), 1U);
                   EXPECT_EQ(fields.object("inner").text("deep"), "x");
                   EXPECT_EQ(fields.object("nothing").text("deep"), std::nullopt);
                   fields.no_others();
                 }),
            "");
}

TEST(Fields, EachBrokenRuleIsToldWithItsPath) {
  const struct {
    const char* name;
    const char* document;
    std::function<void(Fields&)> read;
    const char* message;
  } k_cases[] = {
      {"no object", "[]", [](Fields&) {}, "(root): Invalid value: []: must be an object"},
      {"no text", R"({"a": 1})", [](Fields& f) { f.text("a"); },
       "a: Invalid value: 1: must be a string"},
      {"nothing where something must be", "{}", [](Fields& f) { f.text("a", true); },
       "a: Required value: must be set"},
      {"null where something must be", R"({"a": null})", [](Fields& f) { f.text("a", true); },
       "a: Required value: must be set"},
      {"an empty text where one must be", R"({"a": ""})", [](Fields& f) { f.text("a", true); },
       R"(a: Invalid value: "": must be a string that is not empty)"},
      {"a text for a number", R"({"a": "1"})", [](Fields& f) { f.number("a", 0, 9); },
       R"(a: Invalid value: "1": must be a number from 0 to 9)"},
      {"a fraction", R"({"a": 1.5})", [](Fields& f) { f.number("a", 0, 9); },
       "a: Invalid value: 1.5E0: must be a number from 0 to 9"},
      {"a number too high", R"({"a": 10})", [](Fields& f) { f.number("a", 0, 9); },
       "a: Invalid value: 10: must be a number from 0 to 9"},
      {"a text for a flag", R"({"a": "true"})", [](Fields& f) { f.flag("a"); },
       R"(a: Invalid value: "true": must be true or false)"},
      {"no list", R"({"a": "x"})", [](Fields& f) { f.texts("a"); },
       R"(a: Invalid value: "x": must be a list)"},
      {"an element that is no text", R"({"a": ["x", 2]})", [](Fields& f) { f.texts("a"); },
       "a[1]: Invalid value: 2: must be a string"},
      {"no object within", R"({"a": {"b": 1}})",
       [](Fields& f) { f.object("a").object("b").text("c"); },
       "a.b: Invalid value: 1: must be an object"},
      {"a field deep down", R"({"a": {"b": {"c": 1}}})",
       [](Fields& f) { f.object("a").object("b").text("c"); },
       "a.b.c: Invalid value: 1: must be a string"},
      {"what nobody knows", R"({"a": 1, "b": 2})",
       [](Fields& f) {
         f.number("a", 0, 9);
         f.no_others();
       },
       "b: Unknown field: there is no such field"},
      {"two at once", R"({"a": 1, "b": 2})",
       [](Fields& f) {
         f.text("a");
         f.text("b");
       },
       "[a: Invalid value: 1: must be a string, b: Invalid value: 2: must be a string]"},
  };
  for (const auto& [name, document, read, message] : k_cases)
    EXPECT_EQ(told(document, read), message) << name;
}

}  // namespace
}  // namespace margay::api
