#include "apiserver/protobuf_body.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

namespace margay::apiserver {
namespace {

// A length-delimited field, short enough for lengths of one byte.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string varint(int number, char value) { return {static_cast<char>(number << 3), value}; }

std::string envelope(const std::string& kind, const std::string& raw) {
  return std::string("k8s\0", 4) + field(1, field(1, "v1") + field(2, kind)) + field(2, raw) +
         field(3, "") + field(4, "");
}

struct Case {
  std::string name;
  std::string body;
  const char* json;
};

TEST(ProtobufBodyTest, ReadsWhatKubectlCreateSends) {
  // Go writes unset text as empty text and unset times as empty messages.
  const auto metadata = field(
      1, field(1, "a") + field(2, "") + field(8, "") + field(11, field(1, "k") + field(2, "v")));
  const Case cases[] = {
      {"Namespace", envelope("Namespace", metadata + field(2, "") + field(3, "")),
       R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","labels":{"k":"v"}},"spec":{}})"},
      {"ConfigMap", envelope("ConfigMap", metadata + field(2, field(1, "x") + field(2, "y"))),
       R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"k":"v"}},"data":{"x":"y"}})"},
      {"SecretBytesBecomeBase64",
       envelope("Secret", metadata + field(2, field(1, "x") + field(2, "yz"))),
       R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","labels":{"k":"v"}},"data":{"x":"eXo="}})"},
      {"ServicePorts",
       envelope("Service",
                metadata + field(2, field(1, field(2, "TCP") + varint(3, 80) +
                                                 field(4, varint(1, 1) + field(3, "http"))))),
       R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"a","labels":{"k":"v"}},
           "spec":{"ports":[{"protocol":"TCP","port":80,"targetPort":"http"}]}})"},
      {"ZeroGraceIsAValue", envelope("DeleteOptions", varint(1, 0)),
       R"({"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0})"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const auto object = parse_protobuf(test.body);
    ASSERT_TRUE(object) << object.error().message;
    EXPECT_EQ(*object, json::parse(test.json).as_object());
  }
}

TEST(ProtobufBodyTest, RefusesRatherThanGuesses) {
  const auto code = [](const std::string& body) {
    const auto object = parse_protobuf(body);
    return object ? 200 : object.error().code;
  };
  EXPECT_EQ(code("{}"), 400) << "no magic";
  EXPECT_EQ(code(envelope("Pod", "")), 415) << "a kind without a table";
  EXPECT_EQ(code(envelope("Namespace", field(9, "x"))), 400) << "a field that is not known";
  EXPECT_EQ(code(envelope("Namespace", varint(1, 1))), 400) << "a number where a message is";
  const auto whole = envelope("Namespace", field(1, field(1, "name")));
  const auto raw_begin = whole.find("name");
  for (size_t size = 4; size < raw_begin + 4; ++size)
    EXPECT_NE(code(whole.substr(0, size)), 500) << "cut off at " << size;
  EXPECT_EQ(code(whole.substr(0, raw_begin + 2)), 400);
}

}  // namespace
}  // namespace margay::apiserver
