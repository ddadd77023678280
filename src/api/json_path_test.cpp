#include "api/json_path.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace margay::api {
namespace {

TEST(JsonPath, FindsWhatIsThereAndNothingElse) {
  const auto value = boost::json::parse(
      R"({"a": {"text": "x", "number": 7, "fraction": 1.5, "yes": true, "list": [1], "none": null}})");
  const auto& object = value.as_object();
  EXPECT_EQ(text_at(object, {"a", "text"}), "x");
  EXPECT_EQ(text_at(object, {"a", "number"}), "");
  EXPECT_EQ(text_at(object, {"a", "text", "further"}), "");
  EXPECT_EQ(text_at(object, {"b", "text"}), "");
  EXPECT_EQ(integer_at(object, {"a", "number"}), 7);
  EXPECT_EQ(integer_at(object, {"a", "fraction"}), std::nullopt);
  EXPECT_EQ(integer_at(object, {"a", "text"}), std::nullopt);
  EXPECT_TRUE(flag_at(object, {"a", "yes"}));
  EXPECT_FALSE(flag_at(object, {"a", "number"}));
  EXPECT_EQ(object_at(object, {"a"}).size(), 6U);
  EXPECT_TRUE(object_at(object, {"a", "list"}).empty());
  EXPECT_EQ(list_at(object, {"a", "list"}).size(), 1U);
  EXPECT_TRUE(list_at(object, {"a"}).empty());
  EXPECT_TRUE(find_at(object, {"a", "none"})->is_null());
  EXPECT_EQ(find_at(object, {"a", "none", "further"}), nullptr);
}

}  // namespace
}  // namespace margay::api
