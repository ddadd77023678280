#include "apiserver/authorizer.h"

#include <fmt/format.h>

namespace margay::apiserver {
namespace {

std::string what_not(const User& user, const Attributes& attributes) {
  if (!attributes.is_resource)
    return fmt::format("User \"{}\" cannot {} path \"{}\"", user.name, attributes.verb,
                       attributes.path);
  const auto place = attributes.ns.empty() ? std::string("at the cluster scope")
                                           : fmt::format("in the namespace \"{}\"", attributes.ns);
  return fmt::format("User \"{}\" cannot {} resource \"{}{}{}\" in API group \"{}\" {}", user.name,
                     attributes.verb, attributes.resource,
                     attributes.subresource.empty() ? "" : "/", attributes.subresource,
                     attributes.api_group, place);
}

}  // namespace

Decision AllowAll::authorize(const User&, const Attributes&) const { return {.allowed = true}; }

Rules AllowAll::rules(const User&, std::string_view) const {
  return {.resources = {{.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}}},
          .paths = {{.verbs = {"*"}, .paths = {"*"}}}};
}

Status denied(const User& user, const Attributes& attributes, std::string_view reason) {
  auto why = what_not(user, attributes);
  if (!reason.empty()) why += fmt::format(": {}", reason);
  if (!attributes.is_resource) return {403, "Forbidden", "forbidden: " + why};
  json::object details;
  if (!attributes.name.empty()) details["name"] = attributes.name;
  if (!attributes.api_group.empty()) details["group"] = attributes.api_group;
  details["kind"] = attributes.resource;
  const auto resource = attributes.api_group.empty()
                            ? attributes.resource
                            : attributes.resource + "." + attributes.api_group;
  const auto object =
      attributes.name.empty() ? resource : fmt::format("{} \"{}\"", resource, attributes.name);
  return {403, "Forbidden", fmt::format("{} is forbidden: {}", object, why), std::move(details)};
}

}  // namespace margay::apiserver
