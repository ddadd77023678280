#include "apiserver/protobuf_body.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <random>

#include "api/kind.h"
#include "api/schema.h"
#include "apiserver/protobuf_message.h"

namespace margay::apiserver {
namespace {

std::string tag(int number, int type) {
  const int value = number << 3 | type;
  if (value < 0x80) return {static_cast<char>(value)};
  return {static_cast<char>(value | 0x80), static_cast<char>(value >> 7)};
}
// A length-delimited field, short enough for lengths of one byte.
std::string field(int number, const std::string& bytes) {
  return tag(number, 2) + static_cast<char>(bytes.size()) + bytes;
}
std::string varint(int number, char value) { return tag(number, 0) + value; }

std::string envelope(const std::string& kind, const std::string& raw,
                     const std::string& api_version = "v1") {
  return std::string("k8s\0", 4) + field(1, field(1, api_version) + field(2, kind)) +
         field(2, raw) + field(3, "") + field(4, "");
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
       R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","labels":{"k":"v"}},
           "spec":{},"status":{}})"},
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
      {"OptionsOfAnyGroup", envelope("DeleteOptions", "", "coordination.k8s.io/v1"),
       R"({"apiVersion":"coordination.k8s.io/v1","kind":"DeleteOptions"})"},
      {"MembersOfAnInnerMessageStandInTheOuter",
       envelope("Pod", field(2, field(1, field(1, "v") + field(2, field(2, field(1, "Memory")))))),
       R"({"apiVersion":"v1","kind":"Pod",
           "spec":{"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]}})"},
      {"PointersKeepZerosAndValuesDoNot",
       envelope("Pod", field(2, varint(11, 0) + varint(27, 0) + field(14, "") + field(3, ""))),
       R"({"apiVersion":"v1","kind":"Pod",
           "spec":{"shareProcessNamespace":false,"securityContext":{}}})"},
      {"ZerosThatJsonShows",
       envelope("Pod", field(3, field(8, field(1, "c") + varint(4, 0) + varint(5, 0)))),
       R"({"apiVersion":"v1","kind":"Pod","status":{"containerStatuses":[
           {"name":"c","ready":false,"restartCount":0}]}})"},
      {"MicroTime",
       envelope("Lease",
                field(2, field(1, "me") + field(4, varint(1, 1) + std::string("\x10\xc0\xa9\x07"))),
                "coordination.k8s.io/v1"),
       R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",
           "spec":{"holderIdentity":"me","renewTime":"1970-01-01T00:00:01.000120Z"}})"},
      {"OneNumberOrManyPacked",
       envelope("Pod", field(2, field(14, varint(4, 1) + field(4, "\x02\x03")))),
       R"({"apiVersion":"v1","kind":"Pod",
           "spec":{"securityContext":{"supplementalGroups":[1,2,3]}}})"},
      {"UnsetFieldsOfAnotherRelease", envelope("Namespace", varint(90, 0) + field(91, "")),
       R"({"apiVersion":"v1","kind":"Namespace"})"},
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
  EXPECT_EQ(code(envelope("IPPool", "", "projectcalico.org/v3")), 415) << "has no such form";
  EXPECT_EQ(code(envelope("Pod", "", "v2")), 415) << "a version that is not served";
  EXPECT_EQ(code(envelope("Namespace", field(9, "x"))), 400) << "a field that is not known";
  EXPECT_EQ(code(envelope("Namespace", varint(1, 1))), 400) << "a number where a message is";
  EXPECT_EQ(code(envelope("Namespace", field(1, field(1, "\xff")))), 400) << "no UTF-8";
  EXPECT_EQ(code(envelope("Namespace", field(1, field(11, field(1, "\xc0\xaf"))))), 400)
      << "a key that is no UTF-8";
  EXPECT_EQ(code(envelope("Namespace", field(1, std::string("\x0b", 1)))), 400) << "a group";
  EXPECT_EQ(code(envelope("Namespace", field(1, std::string("\x0a\xff\xff\xff\xff\x0f", 6)))), 400)
      << "longer than it is";
  EXPECT_EQ(code(envelope("Namespace", field(1, field(8, "\x08\xff\xff\xff\xff\xff\xff\x7f")))),
            400)
      << "a time beyond the year 9999";
  const auto said = parse_protobuf(envelope("Pod", field(2, field(2, field(1, "\xed\xa0\x80")))));
  EXPECT_THAT(said.error().message, testing::HasSubstr("spec.containers.name: "));
}

// ---- every kind ---------------------------------------------------------------------------------

// An object in which every field of the message has a value, and lists and maps have two.
json::object sample(const Message& message);

json::value sample_value(const MessageField& field) {
  switch (field.type) {
    case MessageField::Type::text:
      return json::string(std::string(field.name) + "-\u00fc\U0001f600");
    case MessageField::Type::integer:
      return field.number % 2 == 0 ? int64_t{field.number} : -int64_t{field.number};
    case MessageField::Type::boolean:
      return true;
    case MessageField::Type::bytes:
      return "AAECAw==";
    case MessageField::Type::time:
      return "1969-12-31T23:59:59Z";
    case MessageField::Type::micro_time:
      return "2021-04-30T12:00:00.000120Z";
    case MessageField::Type::quantity:
      return "128Mi";
    case MessageField::Type::int_or_string:
      return field.number % 2 == 0 ? json::value("http") : json::value(80);
    case MessageField::Type::message:
      return sample(*field.message);
    case MessageField::Type::ignored:
      break;
  }
  return json::value();
}

json::object sample(const Message& message) {
  json::object out;
  for (const auto& field : message.fields) {
    if (field.type == MessageField::Type::ignored) continue;
    auto value = sample_value(field);
    if (field.name.empty())
      for (auto& [name, member] : value.as_object()) out[name] = member;
    else if (field.shape == MessageField::Shape::list)
      out[field.name] = json::array{value, value};
    else if (field.shape == MessageField::Shape::map)
      out[field.name] = json::object{{"a", value}, {"b", value}};
    else if (field.shape == MessageField::Shape::map_of_lists)
      out[field.name] = json::object{{"a", json::array{"x", "y"}}, {"b", json::array{}}};
    else
      out[field.name] = value;
  }
  return out;
}

std::vector<const Message*> served_messages() {
  std::vector<const Message*> out{find_message("DeleteOptions"), find_message("Status"),
                                  find_message("authorization.SelfSubjectRulesReview"),
                                  find_message("authentication.SelfSubjectReview")};
  for (const auto& kind : api::kinds())
    if (const auto* message = find_message(kind)) out.push_back(message);
  return out;
}

TEST(ProtobufMessageTest, EveryKindOfKubernetesHasOne) {
  for (const auto& kind : api::kinds()) {
    const bool own = kind.group.empty() || kind.group.ends_with(".k8s.io");
    EXPECT_EQ(find_message(kind) != nullptr, own) << kind.resource();
  }
}

bool fits(const MessageField& field, api::Schema::Type type) {
  using SchemaType = api::Schema::Type;
  using Type = MessageField::Type;
  if (type == SchemaType::any) return true;
  if (field.shape == MessageField::Shape::list) return type == SchemaType::list;
  if (field.shape != MessageField::Shape::single) return type == SchemaType::map;
  switch (field.type) {
    case Type::integer:
      return type == SchemaType::integer;
    case Type::boolean:
      return type == SchemaType::boolean;
    case Type::int_or_string:
    case Type::quantity:
      return type == SchemaType::int_or_string || type == SchemaType::string;
    case Type::message:
      return type == SchemaType::object || type == SchemaType::map;
    default:
      return type == SchemaType::string;
  }
}

// Adds what the two descriptions of an object do not agree about.
void compare(const api::Schema& schema, const Message& message, const std::string& path,
             std::vector<std::string>& differences) {
  for (const auto& field : message.fields) {
    if (field.type == MessageField::Type::ignored) continue;
    if (field.name.empty()) {
      compare(schema, *field.message, path, differences);
      continue;
    }
    const auto at = path + "." + std::string(field.name);
    const auto* described = schema.find(field.name);
    if (described == nullptr) {
      differences.push_back(at + ": not described");
      continue;
    }
    const auto* inner = described->schema.get();
    if (!fits(field, inner->type)) differences.push_back(at + ": of another type");
    if (field.shape != MessageField::Shape::single) inner = inner->items.get();
    if (field.message != nullptr && inner != nullptr && inner->type == api::Schema::Type::object)
      compare(*inner, *field.message, at, differences);
  }
}

// What typed clients send must not be dropped as an unknown field, nor refused for its type.
TEST(ProtobufMessageTest, AgreesWithTheDescriptionsOfTheKinds) {
  std::vector<std::string> differences;
  for (const auto& kind : api::kinds())
    if (const auto* message = find_message(kind))
      compare(*kind.schema, *message, kind.name, differences);
  EXPECT_THAT(differences, testing::IsEmpty());
}

TEST(ProtobufMessageTest, EveryFieldOfEveryKindComesBack) {
  for (const auto* message : served_messages()) {
    ASSERT_NE(message, nullptr);
    SCOPED_TRACE(message->name);
    const auto object = sample(*message);
    const auto bytes = encode_message(*message, object);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const auto again = decode_message(*message, *bytes);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, object);
  }
}

// Whatever bytes come: they are refused, or can be given back as they were read.
TEST(ProtobufMessageTest, DamagedBytesAreRefusedOrReadable) {
  const auto try_it = [](const Message& message, const std::string& bytes) {
    const auto object = decode_message(message, bytes);
    if (!object) return;
    const auto again = encode_message(message, *object);
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(decode_message(message, *again).value(), *object);
  };
  std::mt19937 random(1);
  for (const auto* message : served_messages()) {
    SCOPED_TRACE(message->name);
    const auto bytes = *encode_message(*message, sample(*message));
    for (int i = 0; i < 300; ++i) {
      auto damaged = bytes.substr(0, random() % bytes.size());
      try_it(*message, damaged);
      damaged = bytes;
      for (auto flips = 1 + random() % 3; flips-- > 0;)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      try_it(*message, damaged);
    }
  }
}

TEST(ProtobufMessageTest, ValuesOfAnotherTypeAreNamed) {
  struct {
    const char* json;
    const char* field;
  } const cases[] = {
      {R"({"spec":[]})", "spec"},
      {R"({"spec":{"affinity":{"nodeAffinity":"x"}}})", "spec.affinity.nodeAffinity"},
      {R"({"spec":{"containers":[{"ports":[{"hostPort":"80"}]}]}})",
       "spec.containers[0].ports[0].hostPort"},
      {R"({"spec":{"nodeSelector":{"a":1}}})", "spec.nodeSelector[a]"},
      {R"({"status":{"startTime":"yesterday"}})", "status.startTime"},
      {R"({"status":{"startTime":"2021-02-30T00:00:00Z"}})", "status.startTime"},
      {R"({"spec":{"overhead":{"cpu":true}}})", "spec.overhead[cpu]"},
  };
  for (const auto& test : cases) {
    const auto bytes = encode_message(*find_message("Pod"), json::parse(test.json).as_object());
    ASSERT_FALSE(bytes) << test.json;
    EXPECT_EQ(bytes.error().fields.front().path, test.field);
  }
}

}  // namespace
}  // namespace margay::apiserver
