#include "oracle.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "base/process.h"

namespace margay::peers {

namespace {

std::string text_of(const json::object& answer, std::string_view field) {
  const json::value* text = answer.if_contains(field);
  return text != nullptr ? std::string(text->as_string()) : std::string();
}

Verdict to_verdict(const json::value& answer) {
  const auto& object = answer.as_object();
  return {.valid = object.at("valid").as_bool(),
          .error = text_of(object, "error"),
          .text = text_of(object, "text"),
          .id = text_of(object, "id")};
}

GoField to_field(const json::value& answer) {
  const auto& object = answer.as_object();
  GoField field{.name = text_of(object, "name"),
                .type = text_of(object, "type"),
                .rule = text_of(object, "rule"),
                .parts = {}};
  if (const auto* items = object.if_contains("items")) field.parts.push_back(to_field(*items));
  if (const auto* parts = object.if_contains("parts"))
    for (const auto& part : parts->as_array()) field.parts.push_back(to_field(part));
  return field;
}

}  // namespace

base::Result<std::vector<json::value>> Oracle::ask(
    const std::vector<json::object>& questions) const {
  base::Command command{
      .argv = {program_}, .input = {}, .environment = {}, .network_namespace = {}};
  for (const auto& question : questions) command.input += json::serialize(question) + "\n";
  MARGAY_TRY(const std::string out, base::run_checked(command));
  std::vector<json::value> answers;
  for (size_t start = 0; start < out.size();) {
    const size_t end = out.find('\n', start);
    MARGAY_TRY(auto answer, api::parse_json(std::string_view(out).substr(start, end - start),
                                            api::k_envelope_limits));
    answers.push_back(std::move(answer));
    start = end + 1;
  }
  if (answers.size() != questions.size())
    return base::fail(base::ErrorCode::internal, fmt::format("{} questions have {} answers",
                                                             questions.size(), answers.size()));
  return answers;
}

base::Result<std::vector<Verdict>> Oracle::judge_objects(
    const std::string& kind, const std::vector<json::object>& objects) const {
  std::vector<json::object> questions;
  for (const auto& object : objects) questions.push_back({{"kind", kind}, {"object", object}});
  MARGAY_TRY(const auto answers, ask(questions));
  std::vector<Verdict> verdicts;
  for (const auto& answer : answers) verdicts.push_back(to_verdict(answer));
  return verdicts;
}

base::Result<std::vector<Verdict>> Oracle::judge_selectors(
    const std::vector<std::string>& texts) const {
  std::vector<json::object> questions;
  for (const auto& text : texts) questions.push_back({{"selector", text}});
  MARGAY_TRY(const auto answers, ask(questions));
  std::vector<Verdict> verdicts;
  for (const auto& answer : answers) verdicts.push_back(to_verdict(answer));
  return verdicts;
}

base::Result<GoField> Oracle::describe(const std::string& kind) const {
  MARGAY_TRY(const auto answers, ask({{{"describe", kind}}}));
  return to_field(answers.front());
}

}  // namespace margay::peers
