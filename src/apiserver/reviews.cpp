#include "apiserver/reviews.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <vector>

#include "api/fields.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

using api::Fields;

api::Kind review_kind(std::string group, std::string name, std::string plural, std::string doc) {
  return {.group = std::move(group),
          .version = "v1",
          .name = std::move(name),
          .plural = plural,
          .singular = plural.substr(0, plural.size() - 1),
          .doc = std::move(doc)};
}

json::array strings(const std::vector<std::string>& values) {
  json::array out;
  for (const auto& value : values) out.push_back(json::string(value));
  return out;
}

Attributes resource_attributes(Fields fields) {
  const auto text = [&](std::string_view name) { return fields.text(name).value_or(""); };
  return {.verb = text("verb"),
          .path = {},
          .is_resource = true,
          .api_group = text("group"),
          .api_version = text("version"),
          .resource = text("resource"),
          .subresource = text("subresource"),
          .ns = text("namespace"),
          .name = text("name")};
}

Attributes path_attributes(Fields fields) {
  return {.verb = fields.text("verb").value_or(""), .path = fields.text("path").value_or("")};
}

// As an apiserver answers what does not decode.
Answer<> check(Fields::Errors& errors) {
  if (errors.empty()) return {};
  return refuse(bad_request(base::fail(std::move(errors)).error().message));
}

Answer<json::object> may_i(const api::Kind& kind, Fields& spec, Fields::Errors& errors,
                           const User& user, const Authorizer& authorizer) {
  const bool asks_resource = spec.value("resourceAttributes") != nullptr;
  const bool asks_path = spec.value("nonResourceAttributes") != nullptr;
  if (asks_resource == asks_path) {
    base::Error error{base::ErrorCode::invalid, {}, {}};
    error.fields.push_back({.path = "spec.resourceAttributes",
                            .detail = "exactly one of nonResourceAttributes or resourceAttributes "
                                      "must be specified"});
    return refuse(from_error(kind, {}, error));
  }
  const auto attributes = asks_resource ? resource_attributes(spec.object("resourceAttributes"))
                                        : path_attributes(spec.object("nonResourceAttributes"));
  MARGAY_CHECK(check(errors));
  const auto decision = authorizer.authorize(user, attributes);
  json::object status{{"allowed", decision.allowed}};
  if (!decision.reason.empty()) status["reason"] = decision.reason;
  return status;
}

Answer<json::object> what_may_i(Fields& spec, Fields::Errors& errors, const User& user,
                                const Authorizer& authorizer) {
  const auto ns = spec.text("namespace").value_or("");
  MARGAY_CHECK(check(errors));
  if (ns.empty()) return refuse(bad_request("no namespace on request"));
  const auto rules = authorizer.rules(user, ns);
  json::array resources;
  for (const auto& rule : rules.resources) {
    json::object out{{"verbs", strings(rule.verbs)},
                     {"apiGroups", strings(rule.api_groups)},
                     {"resources", strings(rule.resources)}};
    if (!rule.names.empty()) out["resourceNames"] = strings(rule.names);
    resources.push_back(std::move(out));
  }
  json::array paths;
  for (const auto& rule : rules.paths)
    paths.push_back(
        json::object{{"verbs", strings(rule.verbs)}, {"nonResourceURLs", strings(rule.paths)}});
  return json::object{{"resourceRules", std::move(resources)},
                      {"nonResourceRules", std::move(paths)},
                      {"incomplete", false}};
}

}  // namespace

std::span<const api::Kind> review_kinds() {
  static const std::vector<api::Kind> kinds{
      review_kind("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews",
                  "Who the server takes the client for."),
      review_kind("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
                  "Whether the client may do something."),
      review_kind("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews",
                  "What the client may do in a namespace.")};
  return kinds;
}

const api::Kind* find_review(const ResourcePath& path) {
  const auto found = std::ranges::find_if(review_kinds(), [&](const api::Kind& kind) {
    return kind.group == path.group && kind.version == path.version && kind.plural == path.resource;
  });
  return found == review_kinds().end() ? nullptr : &*found;
}

Answer<json::object> answer_review(const api::Kind& kind, json::object review, const User& user,
                                   const Authorizer& authorizer) {
  Fields::Errors errors;
  Fields fields(review, {}, errors);
  const auto given = fields.text("kind").value_or("");
  const auto version = fields.text("apiVersion").value_or("");
  Fields spec = fields.object("spec");
  MARGAY_CHECK(check(errors));
  if ((!given.empty() && given != kind.name) || (!version.empty() && version != kind.api_version()))
    return refuse(bad_request(fmt::format("the object is a {} of {}, but the URL is for {} of {}",
                                          given, version, kind.name, kind.api_version())));
  json::object status{{"userInfo", user_info(user)}};
  if (kind.name == "SelfSubjectAccessReview") {
    MARGAY_TRY(status, may_i(kind, spec, errors, user, authorizer));
  } else if (kind.name == "SelfSubjectRulesReview") {
    MARGAY_TRY(status, what_may_i(spec, errors, user, authorizer));
  }
  review["apiVersion"] = kind.api_version();
  review["kind"] = kind.name;
  metadata_of(review);
  review["status"] = std::move(status);
  return review;
}

}  // namespace margay::apiserver
