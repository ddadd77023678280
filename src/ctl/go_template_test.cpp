// Templates as Go runs them: what each prints, and what is refused. The expected texts are Go's
// own.

#include "ctl/go_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/codec.h"
#include "ctl/printed_form.h"

namespace margay::ctl {
namespace {

using testing::HasSubstr;

const TableFacts& facts() {
  static const TableFacts facts{.default_as_number = [] { return std::string("64512"); }};
  return facts;
}

Shown shown(const char* kind, const char* text) {
  const auto* type = find_resource_type(kind);
  auto value = api::parse_yaml(text);
  EXPECT_TRUE(value) << value.error().message;
  return {type, printed_form(*type, value->front().get_object()), false};
}

std::vector<Shown> answers() {
  auto policy = shown("gnp", R"(
    metadata: {name: deny, labels: {b: "2", a: "1"}}
    spec: {order: 1000000, selector: all(), types: [Ingress], ingress: [{action: Deny}, {action: Log}]})");
  auto pool = shown("ippool", "{metadata: {name: p}, spec: {cidr: 10.0.0.0/8, natOutgoing: true}}");
  Shown list{pool.type, list_form(*pool.type, {pool.object}, "7"), true};
  return {std::move(policy), std::move(list)};
}

struct Case {
  const char* text;
  const char* prints;
};

TEST(GoTemplate, PrintsWhatGoPrints) {
  constexpr Case cases[] = {
      {"plain { text }", "plain { text }"},
      {"{{len .}}", "2"},
      {"{{range .}}{{.Kind}};{{end}}", "GlobalNetworkPolicy;IPPoolList;"},
      {"{{with index . 0}}{{.ObjectMeta.Name}} {{.Name}} {{.Spec.Order}}{{end}}",
       "deny deny 1e+06"},
      {"{{with index . 0}}{{.Spec.Types}} {{.Labels}}{{end}}", "[Ingress] map[a:1 b:2]"},
      {"{{with index . 0}}{{range $i, $r := .Spec.Ingress}}{{$i}}={{$r.Action}} {{end}}{{end}}",
       "0=Deny 1=Log "},
      {"{{with index . 0}}{{range $k, $v := .Labels}}{{$k}}{{$v}}{{end}}{{end}}", "a1b2"},
      {"{{with index . 0}}{{join .Spec.Types \"+\"}} {{join .Labels \",\"}}{{end}}",
       "Ingress a=1,b=2"},
      {"{{with index . 0}}{{joinAndTruncate .Spec.Types \",\" 5}}{{end}}", "In..."},
      {"{{range (index . 1).Items}}{{.Spec.CIDR}} {{.Spec.NATOutgoing}} {{.Spec.Disabled}} "
       "{{.Spec.BlockSize}}{{end}}",
       "10.0.0.0/8 true false 0"},
      {"{{(index . 1).ResourceVersion}}", "7"},
      {"{{if eq 1 2}}a{{else if gt 3 2}}b{{else}}c{{end}}", "b"},
      {"{{if and true \"\"}}a{{else}}c{{end}}{{if or false 1}}d{{end}}{{not true}}", "cdfalse"},
      {"{{$x := 5}}{{if true}}{{$x = 6}}{{$y := 1}}{{end}}{{$x}}", "6"},
      {"{{range $x := index . 0}}{{end}}", nullptr},
      {"{{printf \"%-4s|%3d|%q|%v|%.1f%%\" \"a\" 7 \"b\" true 2.25}}", "a   |  7|\"b\"|true|2.2%"},
      {"{{\"a\" | printf \"%s-%s\" \"b\"}}", "b-a"},
      {"a {{- /* nothing */ -}} b", "ab"},
      {"{{`raw \"x\"`}}{{\"t\\tb\"}}", "raw \"x\"t\tb"},
      {"{{range $e := (index . 1).Items}}{{else}}none{{end}}", ""},
      {"{{with \"\"}}a{{else}}b{{end}}", "b"},
      {"{{index (index . 0).Labels \"a\"}}{{(index . 0).Labels.b}}{{(index . 0).Labels.c}}",
       "12<no value>"},
      {"{{config \"asnumber\"}}", "64512"},
      {"{{html \"<&>\"}}{{println 1 \"a\"}}{{print 1 2}}", "&lt;&amp;&gt;1 a\n1 2"},
  };
  for (const auto& [text, prints] : cases) {
    const auto printed = run_go_template(text, answers(), facts());
    if (prints == nullptr) {
      EXPECT_FALSE(printed) << text;
      continue;
    }
    ASSERT_TRUE(printed) << text << ": " << printed.error().message;
    EXPECT_EQ(*printed, prints) << text;
  }
}

TEST(GoTemplate, RefusesWhatItCannotRead) {
  constexpr Case cases[] = {
      {"{{", "unclosed action"},
      {"a\n{{if}}x{{end}}", "template: get:2: missing value"},
      {"{{if true}}x", "unexpected EOF"},
      {"{{end}}", "unexpected {{end}}"},
      {"{{nonsense 1}}", "function \"nonsense\" not defined"},
      {"{{$x}}", "undefined variable \"$x\""},
      {"{{range .}}{{.Foo}}{{end}}", "can't evaluate field Foo in type GlobalNetworkPolicy"},
      {"{{define \"x\"}}{{end}}", "{{define}} is not supported"},
      {"{{\"unterminated}}", "unclosed action"},
      {"{{1 2}}", "can't give argument to non-function"},
      {"{{(1}}", "unclosed parenthesis"},
      {"{{index . 7}}", "index out of range: 7"},
      {"{{eq 1 \"a\"}}", "incompatible types"},
      {"{{len 1}}", "can't iterate over 1"},
      {"{{printf \"%\"}}", "unfinished verb"},
  };
  for (const auto& [text, error] : cases) {
    const auto printed = run_go_template(text, answers(), facts());
    ASSERT_FALSE(printed) << text << ": " << *printed;
    EXPECT_THAT(printed.error().message, HasSubstr(error)) << text;
  }
}

TEST(GoTemplate, TextsOfAnyLengthAreFormatted) {
  const std::string text(5'000, 'x');
  EXPECT_EQ(run_go_template("{{printf \"%s|%6000s\" `" + text + "` \"a\"}}", {}, facts()).value(),
            text + "|" + std::string(5'999, ' ') + "a");
  EXPECT_FALSE(run_go_template("{{printf \"%999999999s\" \"a\"}}", {}, facts()));
}

TEST(GoTemplate, NestingHasAnEnd) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{{if true}}";
  EXPECT_FALSE(run_go_template(deep, {}, facts()));
  EXPECT_FALSE(run_go_template("{{" + std::string(100'000, '('), {}, facts()));
}

}  // namespace
}  // namespace margay::ctl
