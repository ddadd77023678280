// Texts: JSON and YAML, as they are read and written.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <cstdlib>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/calico.h"
#include "api/kubernetes.h"
#include "api/validation_case.h"

namespace margay::api {
namespace {

json::value parsed(const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  EXPECT_TRUE(documents) << documents.error().message;
  return documents && !documents->empty() ? documents->front() : json::value();
}

std::string yaml_error(const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  return documents ? "no error" : documents.error().message;
}

std::string json_error(const std::string& text) {
  const auto value = parse_json(text);
  return value ? "no error" : value.error().message;
}

// ---- JSON -----------------------------------------------------------------------------------

TEST(Json, NumbersDoNotDriftWhenTheyAreReadAndWrittenAgain) {
  for (const char* text : {"[92234775803720368547758.08]", "[9223477580372036854775808]", "[0.1]",
                           "[1.7976931348623157E308]", "[2.2250738585072011E-308]", "[5E-324]",
                           "[123456789.98765432]", "[1000.3]"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(value->as_array()[0].to_number<double>(), std::strtod(text + 1, nullptr)) << text;
    const std::string written = to_json(*value);
    const auto again = parse_json(written);
    ASSERT_TRUE(again) << written;
    EXPECT_EQ(to_json(*again), written) << text;
  }
}

TEST(Yaml, TextWithNulsIsNotTakenForAnotherEncoding) {
  using std::string_view_literals::operator""sv;
  for (const auto text : {"-\0\0\0\r-\n-\0\0\0\r-"sv, "a\0:\0 \0b\0"sv, "\0a"sv, "a: b\0"sv}) {
    const auto documents = parse_yaml(text);
    ASSERT_FALSE(documents);
    EXPECT_THAT(documents.error().message, testing::HasSubstr("a NUL character"));
  }
}

TEST(Yaml, TextThatStandsNowhereEndsTheReading) {
  for (const char* text : {",:a} 1{\n", "}", "]", ", a", "a: 1\n---\n}"}) {
    const auto documents = parse_yaml(text);
    ASSERT_FALSE(documents) << text;
    EXPECT_THAT(documents.error().message, testing::HasSubstr("line ")) << text;
  }
  const auto documents = parse_yaml("---\n---\na: 1\n--- \n...\n---\nb: 2\n");
  ASSERT_TRUE(documents) << documents.error().message;
  EXPECT_EQ(documents->size(), 2U) << "empty documents are no trouble";
}

TEST(Yaml, EveryEscapeIsUtf8) {
  const auto documents = parse_yaml("a: \"\\_x\\N\\_\\xe9\\u00e9\"\n");
  ASSERT_TRUE(documents) << documents.error().message;
  EXPECT_EQ(documents->front().at("a").as_string(), "\u00a0x\u0085\u00a0\u00e9\u00e9");
}

TEST(Json, NumbersThatNobodyCouldReadAgainAreRefused) {
  for (const char* text : {"1e999", "[1, -1e400]", "{\"a\": 1e999}"}) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_THAT(value.error().message, testing::HasSubstr("out of range")) << text;
    EXPECT_FALSE(check_json(text)) << text;
  }
}

TEST(Json, ErrorsSayWhere) {
  EXPECT_EQ(json_error("{\n  \"a\": tru\n}"), "JSON: line 2, column 8: syntax error");
  EXPECT_EQ(json_error("{\"a\": 1,\n \"a\": 2}"), "JSON: line 2, column 4: key \"a\" occurs twice");
  EXPECT_EQ(json_error("{} x"), "JSON: line 1, column 4: text after the end of the value");
  EXPECT_THAT(json_error("{"), testing::HasSubstr("incomplete"));
}

TEST(Json, NestingIsBounded) {
  EXPECT_TRUE(parse_json(std::string(100, '[') + std::string(100, ']')));
  EXPECT_THAT(json_error(std::string(101, '[') + std::string(101, ']')),
              testing::HasSubstr("too deep"));
}

TEST(Json, TheSameKeyInTwoObjectsIsNoDuplicate) {
  EXPECT_TRUE(parse_json(R"({"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]})"));
}

// ---- YAML -----------------------------------------------------------------------------------

TEST(Yaml, PlainScalarsAreWhatKubernetesTakesThemFor) {
  const std::vector<std::pair<std::string, json::value>> cases{
      {"1", 1},
      {"-1", -1},
      {"+1", 1},
      {"0x1F", 31},
      {"0o17", 15},
      {"017", 15},
      {"0b101", 5},
      {"1_000", 1000},
      {"0", 0},
      {"1.5", 1.5},
      {".5", 0.5},
      {"1e3", 1000.0},
      {"true", true},
      {"True", true},
      {"yes", true},
      {"on", true},
      {"false", false},
      {"no", false},
      {"OFF", false},
      {"null", nullptr},
      {"~", nullptr},
      {"''", ""},
      {"'yes'", "yes"},
      {"\"1\"", "1"},
      {"y", "y"},
      {"n", "n"},
      {"yEs", "yEs"},
      {"08", 8.0},
      {"10.0.0.1", "10.0.0.1"},
      {"1.2.3", "1.2.3"},
      {"2021-04-30", "2021-04-30"},
      {"0x", "0x"},
      {"1:30", "1:30"},
      {"-", "-"},
      {"!!str 1", "1"},
      {"9223372036854775807", INT64_MAX},
      {"18446744073709551615", UINT64_MAX}};
  for (const auto& [text, expected] : cases) {
    if (text == "-") continue;  // an empty list item when alone
    const auto value = parsed("a: " + text).at("a");
    EXPECT_EQ(value, expected) << text << " became " << json::serialize(value);
  }
}

TEST(Yaml, DocumentsOfAStream) {
  const auto documents = parse_yaml("# nothing\n---\na: 1\n---\n---\nb: [2, {c: 3}]\n...\n");
  ASSERT_TRUE(documents);
  EXPECT_THAT(*documents, testing::ElementsAre(json::parse(R"({"a": 1})"),
                                               json::parse(R"({"b": [2, {"c": 3}]})")));
}

TEST(Yaml, AnchorsAndMergeKeys) {
  EXPECT_EQ(parsed("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nlist: [*b]"),
            json::parse(R"({"base": {"x": 1, "y": 2}, "use": {"y": 3, "x": 1},
                            "list": [{"x": 1, "y": 2}]})"));
}

TEST(Yaml, KeysThatAreNoStringsBecomeText) {
  EXPECT_EQ(parsed("{80: a, true: b}"), json::parse(R"({"80": "a", "true": "b"})"));
}

TEST(Yaml, ErrorsSayWhere) {
  EXPECT_EQ(yaml_error("a: 1\na: 2"), "YAML: line 2, column 4: key \"a\" occurs twice");
  EXPECT_EQ(yaml_error("a: [1, 2"), "YAML: at the end of the text: end of sequence flow not found");
  EXPECT_EQ(yaml_error("a: 1\nb: 2: 3"), "YAML: line 2, column 5: illegal map value");
  EXPECT_EQ(yaml_error("a: .inf"), "YAML: line 1, column 4: \".inf\" has no form in JSON");
  EXPECT_EQ(yaml_error("a: !custom 1"), "YAML: line 1, column 4: unsupported tag \"!custom\"");
}

TEST(Yaml, AliasesCannotBlowUp) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string items;
    for (int j = 0; j < 10; ++j) items += (j ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + items + "]\n";
  }
  EXPECT_THAT(yaml_error(bomb), testing::HasSubstr("aliases make the document too large"));
}

TEST(Yaml, NestingIsBounded) {
  EXPECT_THAT(yaml_error(std::string(101, '[') + std::string(101, ']')),
              testing::HasSubstr("nested too deeply"));
}

TEST(Yaml, LongScalarsAreReadWithoutRecursion) {
  const std::string digits(1'000'000, '1');
  EXPECT_EQ(parsed("a: '" + digits + "'").at("a"), json::value(digits));
  EXPECT_TRUE(parse_yaml("a: " + digits + "\nb: " + digits + ":" + digits));
  EXPECT_FALSE(to_yaml(json::object{{"a", digits + "-" + digits}}).empty());
}

TEST(Yaml, TextIsUtf8) {
  EXPECT_EQ(parsed("a: \u00e9\U0001F600").at("a"), json::value("\u00e9\U0001F600"));
  for (const char* bytes : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80"})
    EXPECT_EQ(yaml_error(std::string("a: 1\nb: ") + bytes),
              "YAML: line 2, column 4: the text is not UTF-8");
}

TEST(Yaml, WrittenFormIsKubectls) {
  EXPECT_EQ(to_yaml(json::parse(R"({
    "kind": "A", "list": [{"a": 1, "b": [1, 2]}, "x", [1]], "empty": {}, "none": [],
    "text": "line 1\nline 2\n", "quoted": "yes", "number": "1", "time": "2021-04-30T12:00:00Z",
    "colon": "a: b", "quote": "'a", "half": 0.5, "port": "8080:8090", "clock": "1:30",
    "null": null})")),
            R"(kind: A
list:
- a: 1
  b:
  - 1
  - 2
- x
- - 1
empty: {}
none: []
text: |
  line 1
  line 2
quoted: "yes"
number: "1"
time: "2021-04-30T12:00:00Z"
colon: 'a: b'
quote: '''a'
half: 0.5
port: 8080:8090
clock: "1:30"
"null": null
)");
}

TEST(Yaml, TextThatLooksLikeTheEndOfADocumentIsQuoted) {
  for (const char* text : {"...", "... a", "...a", "---", "--- a"}) {
    EXPECT_EQ(to_yaml(json::value(text)), fmt::format("'{}'\n", text));
    EXPECT_EQ(to_yaml(json::object{{text, 1}}), fmt::format("'{}': 1\n", text));
  }
}

TEST(Yaml, CharactersThatReadersTakeForOtherThingsAreEscaped) {
  const auto written = [](const char* text) { return to_yaml(json::object{{"a", text}}); };
  EXPECT_EQ(written("x\u2028- b:\u2029c"), "a: \"x\\u2028- b:\\u2029c\"\n");
  EXPECT_EQ(written("x: \u0085z"), "a: \"x: \\u0085z\"\n");
  EXPECT_EQ(written("line\n\u2028line\n"), "a: \"line\\n\\u2028line\\n\"\n");
  EXPECT_EQ(written("\u009b31m\x7f\ufeff\uffff"), "a: \"\\u009b31m\\u007f\\ufeff\\uffff\"\n");
  EXPECT_EQ(written("\u00a0\u00e9\u2027\u202a\ufffd\U0001F600"),
            "a: \u00a0\u00e9\u2027\u202a\ufffd\U0001F600\n");
  EXPECT_EQ(to_yaml(json::object{{"k\u2028", 1}}), "\"k\\u2028\": 1\n");
}

TEST(Yaml, WhatEndsALineForSomeReadersOnlyIsRefused) {
  EXPECT_EQ(yaml_error("a: 1\nb: \"x\u2028y\""),
            "YAML: line 2, column 6: U+2028 ends the line for some readers of YAML and not for "
            "others: write it as an escape, in double quotes");
  EXPECT_THAT(yaml_error("a: x\u0085b: y"), testing::HasSubstr("column 5: U+0085"));
  EXPECT_EQ(parsed("{\"a\": \"\u2028\"}").at("a"), json::value("\u2028")) << "JSON has no such";
  EXPECT_EQ(parsed("a: \"\\u2028\"").at("a"), json::value("\u2028"));
}

std::string any_text() {
  static const std::vector<std::string> k_pieces{
      "yes",    "null",   "1",      "0x1",  ":",      " ",      "#",         "- ",  "\n", "\"",
      "'",      "a",      "é",      "\t",   "{",      "}",      "[",         "*",   "&",  "...",
      "--",     "!",      "|",      ">",    "%",      "@",      "<<",        "1.5", "\\", "~",
      "\u0085", "\u2028", "\u009b", "\x7f", "\ufeff", "\u00a0", "\U0001F600"};
  std::string text;
  for (const int count = *rc::gen::inRange(0, 5); static_cast<int>(text.size()) < count;)
    text += *rc::gen::elementOf(k_pieces);
  return text;
}

json::value any_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
    case 0:
      return json::value(any_text());
    case 1:
      return *rc::gen::arbitrary<int64_t>();
    case 2:
      return *rc::gen::arbitrary<bool>();
    case 3:
      return nullptr;
    case 4:
      return *rc::gen::inRange(-1000, 1000) / 8.0 + 0.0625;
    case 5: {
      json::array array;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) array.push_back(any_json(depth - 1));
      return array;
    }
    default: {
      json::object object;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) object[any_text()] = any_json(depth - 1);
      return object;
    }
  }
}

RC_GTEST_PROP(Yaml, WhatIsWrittenIsReadBack, ()) {
  const json::value value = json::object{{any_text(), any_json(3)}};
  const auto documents = parse_yaml(to_yaml(value));
  RC_ASSERT(documents.has_value());
  RC_ASSERT(documents->size() == 1U);
  RC_ASSERT(documents->front() == value);
}

RC_GTEST_PROP(Json, WhatIsWrittenIsReadBack, ()) {
  const json::value value = any_json(3);
  const auto read = parse_json(to_json(value));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == value);
}

// ---- limits ----------------------------------------------------------------------------------

std::string nested_arrays(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, ReadsEveryDepthThatMayBeWritten) {
  EXPECT_TRUE(parse_json(nested_arrays(k_max_object_depth)));
  EXPECT_FALSE(parse_json(nested_arrays(k_max_object_depth + 1)));
  EXPECT_TRUE(parse_json(nested_arrays(k_envelope_limits.depth), k_envelope_limits));
  EXPECT_TRUE(check_readable(nested_arrays(k_max_object_depth)));
  EXPECT_FALSE(check_readable(nested_arrays(k_max_object_depth + 1)));
  EXPECT_FALSE(check_readable('"' + std::string(k_max_object_bytes, 'x') + '"'));
}

// By text alone a list of small lists would be fifty times as much in memory.
TEST(Json, AnObjectHasNoMoreValuesThanMayBeRead) {
  const auto list = [](size_t count, std::string_view item) {
    std::string out = "[";
    for (size_t i = 0; i < count; ++i) out.append(i == 0 ? "" : ",").append(item);
    return out + "]";
  };
  constexpr size_t k_most = k_max_object_values - 1;  // beside the list itself
  const auto map = [](size_t members) {
    std::string out = "{";
    for (size_t i = 0; i < members; ++i) out += fmt::format("{}\"{}\":1", i == 0 ? "" : ",", i);
    return out + "}";
  };
  for (const std::string_view item :
       {"1", "-1", "18446744073709551615", "1.5", "true", "null", "\"\"", "[]", "{}"}) {
    EXPECT_TRUE(parse_json(list(k_most, item))) << item;
    EXPECT_TRUE(check_json(list(k_most, item))) << item;
    EXPECT_FALSE(parse_json(list(k_most + 1, item))) << item;
    EXPECT_FALSE(check_readable(list(k_most + 1, item))) << item;
  }
  EXPECT_TRUE(parse_json(map(k_most / 2))) << "a key counts as its value does";
  EXPECT_FALSE(parse_json(map(k_most / 2 + 1)));
  EXPECT_FALSE(check_json(map(k_most / 2 + 1)));
  EXPECT_TRUE(parse_json(list(k_most + 1, "1"), k_envelope_limits));
  EXPECT_THAT(parse_json(list(k_most + 1, "1")).error().message,
              testing::HasSubstr("more values and keys than an object may have"));
}

TEST(Json, TextThatIsNotUtf8IsRefused) {
  for (const auto* text : {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "{\"\xe2\x82\":1}"}) {
    EXPECT_FALSE(parse_json(text)) << text;
    EXPECT_FALSE(check_json(text)) << text;
    EXPECT_FALSE(check_readable(text)) << text;
  }
}

TEST(Json, CheckAndParseAgree) {
  for (const auto* text : {"{}", "[1,2]", "\"x\"", " 1 ", "", "{", "[1,]", "{\"a\":1}x", "nul",
                           "01", "1e999", "{\"a\":{\"b\":[true,null]}}", "\"\\ud800\"", "/**/1"})
    EXPECT_EQ(check_json(text).has_value(), parse_json(text).has_value()) << text;
}

TEST(Json, DuplicateKeysAreFoundAmongFewAndMany) {
  EXPECT_TRUE(parse_json(R"({"a":{"x":1},"b":{"x":1},"x":1})"));
  for (const auto* text :
       {R"({"":1,"":2})", R"({"a":1,"b":{"a":1},"a":2})", R"({"a\u0062":1,"ab":2})",
        R"({"ab":1,"a\u0062":2})", R"({"\u00e9":1,"c":2,"d":3,"\u00e9":4})"})
    EXPECT_FALSE(parse_json(text)) << text;
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":{\"k\\u0030\":1},";
  EXPECT_TRUE(parse_json(many + "\"last\":1}"));
  for (const auto* again : {"k0", "k15", "k16", "k17", "k99"})
    EXPECT_FALSE(parse_json(many + "\"" + again + "\":1}")) << again;
}

TEST(Yaml, AliasesOfLargeValuesAreCounted) {
  std::string text = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb:\n";
  for (int i = 0; i < 100; ++i) text += "- *a\n";
  const auto large = parse_yaml(text);
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().message, testing::HasSubstr("aliases make the document too large"));
}

TEST(Yaml, AnchorsWithinAnchorsAreCounted) {
  std::string text;
  for (int i = 0; i < 90; ++i) text += "&a" + std::to_string(i) + " [";
  for (int i = 0; i < 50'000; ++i) text += "1,";
  text += "1" + std::string(90, ']');
  const auto copies = parse_yaml(text);
  ASSERT_FALSE(copies);
  EXPECT_THAT(copies.error().message, testing::HasSubstr("aliases make the document too large"));
}

}  // namespace
}  // namespace margay::api
