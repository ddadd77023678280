#include "ctl/validate_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
#include "api/derived_names.h"
#include "api/json_path.h"
#include "api/stored_form.h"
#include "ctl/manifest.h"
#include "ctl/printed_form.h"

namespace margay::ctl {
namespace {

using api::text_at;
using base::Error;
using base::ErrorCode;
using base::FieldError;

struct Verdict {
  std::string file;
  std::string object;
  std::vector<FieldError> errors;
};

std::vector<FieldError> errors_of(const Error& error) {
  if (!error.fields.empty()) return error.fields;
  return {{.type = FieldError::Type::invalid, .path = {}, .value = {}, .detail = error.message}};
}

std::string name_of(const api::Kind& kind, const json::object& object) {
  const auto ns = text_at(object, {"metadata", "namespace"});
  const auto name = text_at(object, {"metadata", "name"});
  return kind.namespaced ? fmt::format("{}/{}/{}", kind.name, ns, name)
                         : fmt::format("{}/{}", kind.name, name);
}

std::vector<FieldError> judge(const api::Kind& kind, const json::object& object) {
  std::vector<FieldError> errors;
  const auto add = [&](const auto& result) {
    if (!result) std::ranges::move(errors_of(result.error()), std::back_inserter(errors));
  };
  add(api::prepare(kind, object, api::UnknownFields::refuse));
  add(api::check_not_derived(kind, object));
  add(api::check_no_stored_metadata(kind, object));
  return errors;
}

class Judge {
 public:
  std::vector<Verdict> verdicts;

  void read(const std::string& file) {
    const auto text = read_manifest_text(file);
    if (!text) return refuse(file, "", text.error());
    auto documents = api::parse_yaml(*text);
    if (!documents) return refuse(file, "", documents.error());
    for (auto& document : *documents) add(file, document);
  }

 private:
  void refuse(const std::string& file, const std::string& object, const Error& error) {
    verdicts.push_back({file, object, errors_of(error)});
  }

  void add(const std::string& file, json::value& value) {
    if (auto* list = value.if_array()) {
      for (auto& item : *list) add(file, item);
      return;
    }
    if (!value.is_object())
      return refuse(file, "", {ErrorCode::invalid, "an object was expected", {}});
    auto& object = value.get_object();
    const std::string version(text_at(object, {"apiVersion"}));
    const std::string name(text_at(object, {"kind"}));
    auto* items = object.if_contains("items");
    if (name.ends_with("List") && items != nullptr && items->is_array())
      return add_items(file, version, name.substr(0, name.size() - 4), items->get_array());
    const auto* kind = api::find_kind(version, name);
    if (kind == nullptr)
      return refuse(file, fmt::format("{}/{}", name, text_at(object, {"metadata", "name"})),
                    {ErrorCode::invalid,
                     fmt::format("Unknown resource type ({}) and/or version ({})", name, version),
                     {}});
    auto& metadata = object["metadata"];
    if (kind->namespaced && (metadata.is_null() || metadata.is_object())) {
      auto& fields = metadata.is_object() ? metadata.get_object() : metadata.emplace_object();
      const auto* ns = fields.if_contains("namespace");
      if (ns == nullptr || ns->is_null() || *ns == "") fields["namespace"] = "default";
    }
    verdicts.push_back({file, name_of(*kind, object), judge(*kind, object)});
  }

  // Those of a typed list need not say what they are.
  void add_items(const std::string& file, const std::string& version, const std::string& kind,
                 json::array& items) {
    for (auto& item : items) {
      if (auto* object = item.if_object(); object != nullptr && !kind.empty()) {
        if (!object->contains("apiVersion")) (*object)["apiVersion"] = version;
        if (!object->contains("kind")) (*object)["kind"] = kind;
      }
      add(file, item);
    }
  }
};

json::object as_json(const Verdict& verdict) {
  json::array errors;
  for (const auto& error : verdict.errors) {
    const auto value = api::parse_json(error.value);
    const auto rule =
        error.detail.empty() ? std::string(base::to_string(error.type)) : error.detail;
    errors.push_back(json::object{{"path", error.path},
                                  {"value", value && !error.value.empty() ? *value : json::value()},
                                  {"message", rule}});
  }
  return {{"file", verdict.file},
          {"object", verdict.object},
          {"valid", verdict.errors.empty()},
          {"errors", std::move(errors)}};
}

std::string as_text(const Verdict& verdict) {
  const auto subject =
      verdict.object.empty() ? verdict.file : fmt::format("{}: {}", verdict.file, verdict.object);
  if (verdict.errors.empty()) return subject + ": valid\n";
  std::string text;
  for (const auto& error : verdict.errors)
    text += fmt::format("{}: {}\n", subject, error.path.empty() ? error.detail : error.message());
  return text;
}

}  // namespace

Outcome validate_manifests(const ValidateArguments& arguments) {
  if (arguments.output != "text" && arguments.output != "json")
    return {.output = {},
            .error = fmt::format("unrecognized output format '{}': must be text or json",
                                 arguments.output)};
  const auto files = manifest_files({.path = arguments.file, .recursive = arguments.recursive});
  if (!files) return {.output = {}, .error = files.error().message};
  Judge judge;
  for (const auto& file : *files) judge.read(file);
  Outcome outcome;
  json::array list;
  for (const auto& verdict : judge.verdicts) {
    list.push_back(as_json(verdict));
    if (arguments.output == "text") outcome.output += as_text(verdict);
  }
  if (arguments.output == "json") outcome.output = indented_json(list);
  const auto wrong = std::ranges::count_if(
      judge.verdicts, [](const Verdict& verdict) { return !verdict.errors.empty(); });
  if (judge.verdicts.empty())
    outcome.error = "No resources specified in " + arguments.file;
  else if (wrong > 0)
    outcome.error = fmt::format("{} of {} objects invalid", wrong, judge.verdicts.size());
  return outcome;
}

}  // namespace margay::ctl
