#include "selector/selector.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace margay::selector {
namespace {

Selector parsed(std::string_view text) {
  auto selector = Selector::parse(text);
  EXPECT_TRUE(selector) << text << ": " << selector.error().message;
  return selector ? *selector : Selector::has("test-failed");
}

TEST(Selector, MatchesAsTheLanguageSays) {
  struct Case {
    const char* selector;
    Labels labels;
    bool matches;
  };
  const std::vector<Case> cases = {
      {"", {}, true},
      {"all()", {{"a", "b"}}, true},
      {"a == 'b'", {{"a", "b"}}, true},
      {"a == 'b'", {{"a", "c"}}, false},
      {"a == 'b'", {}, false},
      {"a == ''", {{"a", ""}}, true},
      {"a == ''", {}, false},
      {"a != 'b'", {{"a", "c"}}, true},
      {"a != 'b'", {{"a", "b"}}, false},
      {"a != 'b'", {}, true},
      {"has(a)", {{"a", ""}}, true},
      {"has(a)", {{"b", ""}}, false},
      {"!has(a)", {}, true},
      {"!!has(a)", {{"a", ""}}, true},
      {"a in {'x', 'y'}", {{"a", "y"}}, true},
      {"a in {'x', 'y'}", {{"a", "z"}}, false},
      {"a in {'x', 'y'}", {}, false},
      {"a in {}", {{"a", ""}}, false},
      {"a not in {'x', 'y'}", {{"a", "y"}}, false},
      {"a not in {'x', 'y'}", {{"a", "z"}}, true},
      {"a not in {'x', 'y'}", {}, true},
      {"a contains 'od'", {{"a", "prod-1"}}, true},
      {"a contains 'od'", {}, false},
      {"a starts with 'pr'", {{"a", "prod"}}, true},
      {"a starts with 'od'", {{"a", "prod"}}, false},
      {"a starts with ''", {}, false},
      {"a ends with 'od'", {{"a", "prod"}}, true},
      {"a ends with 'pr'", {{"a", "prod"}}, false},
      {"!a contains 'x'", {}, true},
      {"a == '1' || b == '2' && c == '3'", {{"a", "1"}}, true},
      {"a == '1' || b == '2' && c == '3'", {{"b", "2"}}, false},
      {"(a == '1' || b == '2') && c == '3'", {{"a", "1"}}, false},
      {"!(a == '1' && b == '2')", {{"a", "1"}}, true},
      {"a == 'it\"s'", {{"a", "it\"s"}}, true},
      {"projectcalico.org/x-y_z == '1'", {{"projectcalico.org/x-y_z", "1"}}, true},
      {"global()", {}, false},
  };
  for (const auto& [text, labels, matches] : cases) {
    EXPECT_EQ(parsed(text).matches(labels), matches) << text;
    EXPECT_EQ(parsed(parsed(text).text()).matches(labels), matches) << "reprinted " << text;
  }
}

TEST(Selector, PrintsOneCanonicalForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "all()"},
      {"\t all( ) ", "all()"},
      {"((all()))", "all()"},
      {"global( )", "global()"},
      {"a=='b'", "a == \"b\""},
      {"a!='b'", "a != \"b\""},
      {"a == '\"'", "a == '\"'"},
      {"has( a )", "has(a)"},
      {"! ( has(b)||! has(a) )", "!(has(b) || !has(a))"},
      {"!!!has(a)", "!has(a)"},
      {"!!has(a)", "has(a)"},
      {"a in{'y','x','y',}", "a in {\"x\", \"y\"}"},
      {"a notin {'x'}", "a not in {\"x\"}"},
      {"a not  in {'x'}", "a not in {\"x\"}"},
      {"a contains'x'", "a contains \"x\""},
      {"a startswith 'x'", "a starts with \"x\""},
      {"a ends with 'x'", "a ends with \"x\""},
      {"a=='1'&&b=='2'&&has(c)", "(a == \"1\" && b == \"2\" && has(c))"},
      {"(has(a) && has(b)) && has(c)", "((has(a) && has(b)) && has(c))"},
      {"has(a) || (has(b) || has(c))", "(has(a) || (has(b) || has(c)))"},
      {"((has(a) && has(b)))", "(has(a) && has(b))"},
      {"has(a) || has(b) && has(c)", "(has(a) || (has(b) && has(c)))"},
      // Words of the language are still keys where a key stands.
      {"in == 'x' && not in {'y'} && has == 'z'",
       "(in == \"x\" && not in {\"y\"} && has == \"z\")"},
  };
  for (const auto& [text, canonical] : cases) {
    EXPECT_EQ(parsed(text).text(), canonical) << text;
    EXPECT_EQ(parsed(canonical).text(), canonical);
    EXPECT_EQ(parsed(text), parsed(canonical));
  }
}

TEST(Selector, KeepsADoubleNegationOfParentheses) {
  EXPECT_EQ(parsed("!(!has(a))").text(), "!!has(a)");
  EXPECT_EQ(parsed("!(!(!(has(a) || has(b))))").text(), "!!!(has(a) || has(b))");
}

TEST(Selector, TakesWhiteSpaceOfEveryKindWhereCalicoDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"has(\n\ta\r\n)", "has(a)"},
      {"all(\f \n)", "all()"},
      {"global(\n)", "global()"},
      {"a not\n\tin {'x'}", "a not in {\"x\"}"},
      {"a starts\r\nwith 'x'", "a starts with \"x\""},
      {"a ends \fwith 'x'", "a ends with \"x\""},
      {"\t a\t==\t'b'\t&& \thas(c)", "(a == \"b\" && has(c))"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(parsed(text).text(), canonical) << text;
  for (const char* text : {"a\n== 'b'", "a ==\n'b'", "a == 'b'\n", "\nhas(a)", "has(a)\n&& has(b)",
                           "has(a\v)", "has (a)", "a in\n{'x'}", "all ()", "has(a\n b)"})
    EXPECT_FALSE(Selector::parse(text)) << text;
}

TEST(Selector, AKeyOfFullLengthEndsThere) {
  const std::string key(512, 'k');
  EXPECT_EQ(parsed(key + "contains'x'").text(), key + " contains \"x\"");
  EXPECT_EQ(parsed(key + "notin{'x'}").text(), key + " not in {\"x\"}");
  EXPECT_EQ(parsed(key + "== 'x'").text(), key + " == \"x\"");
  EXPECT_TRUE(Selector::parse(key + "k == 'x'")
                  .error()
                  .message.starts_with("at position 1: a label key has at most 512 characters"));
}

TEST(Selector, RefusesWithPositionAndExpectation) {
  const std::pair<const char*, const char*> cases[] = {
      {"a", "at position 2: expected an operator"},
      {"a b",
       "at position 3: expected an operator (==, !=, in, not in, contains, starts with, "
       "ends with), found \"b\""},
      {"a == b", "at position 6: expected a quoted string, found \"b\""},
      {"a = 'b'", "at position 3: expected an operator"},
      {"a not contains 'b'", "at position 3: expected an operator"},
      {"a inside {'b'}", "at position 3: expected an operator"},
      {"a == 'b", "at position 6: the string is not terminated"},
      {"a == \"b'", "at position 6: the string is not terminated"},
      {"'b' == a", "at position 1: expected a label key"},
      {"!", "at position 2: expected a label key, has(), all(), ! or (, found the end"},
      {"()", "at position 2: expected a label key"},
      {"(has(a)", "at position 8: expected &&, || or ), found the end"},
      {"has(a))", "at position 7: expected &&, || or the end, found \")\""},
      {"has(a", "at position 6: expected ), found the end"},
      {"has()", "at position 5: expected a label key"},
      {"has(a) &", "at position 8: expected &&, || or the end"},
      {"has(a) && ", "at position 11: expected a label key"},
      {"has(a) has(b)", "at position 8: expected &&, || or the end"},
      {"a in 'x'", "at position 6: expected {"},
      {"a in {'x'", "at position 10: expected , or }"},
      {"a in {'x' 'y'}", "at position 11: expected , or }"},
      {"a in {,}", "at position 7: expected a quoted string"},
      {"%", "at position 1: expected a label key"},
      {"a\n== 'b'", "at position 2: expected an operator"},
  };
  for (const auto& [text, message] : cases) {
    const auto selector = Selector::parse(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_EQ(selector.error().code, base::ErrorCode::invalid);
    EXPECT_TRUE(selector.error().message.starts_with(message))
        << text << "\n  got: " << selector.error().message << "\n  not: " << message;
  }
}

TEST(Selector, BoundsDepthAndKeyLength) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '(') + "has(a)" + std::string(depth, ')');
  };
  EXPECT_TRUE(Selector::parse(nested(500)));
  EXPECT_FALSE(Selector::parse(nested(501)));
  EXPECT_FALSE(Selector::parse(nested(1'000'000)));
  EXPECT_TRUE(Selector::parse("has(" + std::string(512, 'k') + ")"));
  EXPECT_FALSE(Selector::parse("has(" + std::string(513, 'k') + ")"));
  EXPECT_TRUE(parsed(std::string(500, '(') + "has(a)" +
                     [] {
                       std::string closing;
                       for (int i = 0; i < 500; ++i) closing += " && has(a))";
                       return closing;
                     }())
                  .matches(Labels{{"a", ""}}));
  // Negations and long chains nest nothing.
  EXPECT_EQ(parsed(std::string(100'000, '!') + "has(a)").text(), "has(a)");
  std::string chain = "has(a)";
  for (int i = 0; i < 100'000; ++i) chain += "||has(a)";
  EXPECT_TRUE(parsed(chain).matches(Labels{{"a", ""}}));
}

TEST(Selector, IdIsCalicosHashOfTheText) {
  EXPECT_EQ(parsed("").id(), "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug");
  EXPECT_EQ(parsed("!(has(b)||!has(a))").id(), "s:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q");
  EXPECT_EQ(parsed("((a == 'b' && c == 'd') && e=='f')").id(),
            "s:maBgrm7Am_FpYk89xkXfJFaihuO8a3v0mTOqAA");
  EXPECT_EQ(parsed("! (a == \"b\"&&! c != \"d\")").id(),
            "s:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w");
}

TEST(Selector, Combines) {
  const Selector all;
  const Selector a = Selector::has("a");
  const Selector b = Selector::equals("b", "1");
  const Selector c = Selector::in("c", {"y", "x", "y"});
  EXPECT_EQ((a && b && c).text(), "(has(a) && b == \"1\" && c in {\"x\", \"y\"})");
  EXPECT_EQ((a || b).text(), "(has(a) || b == \"1\")");
  EXPECT_EQ((!(a || b)).text(), "!(has(a) || b == \"1\")");
  EXPECT_EQ((!!a).text(), "!!has(a)");
  EXPECT_EQ(all && a, a);
  EXPECT_EQ(a && all, a);
  EXPECT_EQ(all || a, all);
  EXPECT_EQ(a || all, all);
  EXPECT_TRUE(all.is_all());
  EXPECT_FALSE(a.is_all());
  EXPECT_TRUE(parsed("global()").is_global());
}

TEST(Selector, PrefixesEveryKey) {
  EXPECT_EQ(parsed("a == '1' && (has(b) || !c in {'2'}) && d contains 'e' && all()")
                .with_key_prefix("pcns.")
                .text(),
            "(pcns.a == \"1\" && (has(pcns.b) || !pcns.c in {\"2\"}) && pcns.d contains \"e\" && "
            "all())");
}

TEST(Selector, LooksLabelsUpWhereverTheyAre) {
  const std::string value = "1";
  const LabelLookup lookup = [&value](std::string_view key) {
    return key == "a" ? &value : nullptr;
  };
  EXPECT_TRUE(parsed("a == '1' && !has(b)").matches(lookup));
}

}  // namespace
}  // namespace margay::selector
