#include "apiserver/openapi_protobuf.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace margay::apiserver {
namespace {

std::string encode(std::string_view json) {
  return to_openapi_protobuf(boost::json::parse(json).as_object());
}

TEST(OpenapiProtobufTest, TextAndNestedMessage) {
  // Document{swagger = 1: "2.0", info = 2: Info{title = 1: "T", version = 2: "v"}}
  EXPECT_EQ(encode(R"({"swagger":"2.0","info":{"title":"T","version":"v"}})"),
            std::string("\x0a\x03"
                        "2.0"
                        "\x12\x06"
                        "\x0a\x01"
                        "T"
                        "\x12\x01"
                        "v"));
}

TEST(OpenapiProtobufTest, DefinitionsAreNamedSchemas) {
  // definitions = 9: {additional_properties = 1: NamedSchema{name = 1, value = 2: Schema{type =
  // 22}}}
  EXPECT_EQ(encode(R"({"definitions":{"D":{"type":"object"}}})"), std::string("\x4a\x12"
                                                                              "\x0a\x10"
                                                                              "\x0a\x01"
                                                                              "D"
                                                                              "\x12\x0b"
                                                                              "\xb2\x01\x08"
                                                                              "\x0a\x06"
                                                                              "object"));
}

TEST(OpenapiProtobufTest, ExtensionsAreYaml) {
  // Document.vendor_extension = 16: NamedAny{name = 1, value = 2: Any{yaml = 2}}
  EXPECT_EQ(encode(R"({"x-a":[1]})"), std::string("\x82\x01\x0c"
                                                  "\x0a\x03"
                                                  "x-a"
                                                  "\x12\x05"
                                                  "\x12\x03"
                                                  "[1]"));
}

TEST(OpenapiProtobufTest, LongLengthsTakeTwoBytes) {
  const std::string title(200, 't');
  const auto bytes = encode(R"({"swagger":")" + title + "\"}");
  EXPECT_EQ(bytes, "\x0a\xc8\x01" + title);
}

}  // namespace
}  // namespace margay::apiserver
