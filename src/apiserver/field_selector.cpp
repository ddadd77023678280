#include "apiserver/field_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <span>

namespace margay::apiserver {
namespace {

struct Selectable {
  std::string_view resource;
  std::string_view path;
};

// What Kubernetes lets clients select by, beyond the metadata, and Calico of policies.
constexpr auto k_selectable = std::to_array<Selectable>({
    {"pods", "spec.nodeName"},
    {"pods", "spec.restartPolicy"},
    {"pods", "spec.schedulerName"},
    {"pods", "spec.serviceAccountName"},
    {"pods", "spec.hostNetwork"},
    {"pods", "status.phase"},
    {"pods", "status.podIP"},
    {"pods", "status.nominatedNodeName"},
    {"nodes", "spec.unschedulable"},
    {"namespaces", "status.phase"},
    {"services", "spec.clusterIP"},
    {"services", "spec.type"},
    {"secrets", "type"},
    {"events", "involvedObject.kind"},
    {"events", "involvedObject.namespace"},
    {"events", "involvedObject.name"},
    {"events", "involvedObject.uid"},
    {"events", "involvedObject.apiVersion"},
    {"events", "involvedObject.resourceVersion"},
    {"events", "involvedObject.fieldPath"},
    {"events", "reason"},
    {"events", "reportingComponent"},
    {"events", "source"},
    {"events", "type"},
    {"networkpolicies.projectcalico.org", "spec.tier"},
    {"globalnetworkpolicies.projectcalico.org", "spec.tier"},
    {"stagednetworkpolicies.projectcalico.org", "spec.tier"},
    {"stagedglobalnetworkpolicies.projectcalico.org", "spec.tier"},
});

bool is_selectable(const api::Kind& kind, std::string_view path) {
  if (path == "metadata.name") return true;
  if (path == "metadata.namespace") return kind.namespaced;
  const auto resource = kind.resource();
  return std::ranges::any_of(k_selectable, [&](const Selectable& entry) {
    return entry.resource == resource && entry.path == path;
  });
}

const boost::json::value* follow(const boost::json::object& object, std::string_view path) {
  const boost::json::object* at = &object;
  while (at != nullptr) {
    const auto dot = path.find('.');
    const auto* value = at->if_contains(path.substr(0, dot));
    if (dot == std::string_view::npos || value == nullptr) return value;
    at = value->if_object();
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

// The field as text; a missing boolean is false, anything else missing is empty.
std::string field_text(const boost::json::object& object, std::string_view path) {
  const auto* value = follow(object, path);
  if (value != nullptr && value->is_string()) return std::string(value->get_string());
  if (value != nullptr && value->is_bool()) return value->get_bool() ? "true" : "false";
  const bool boolean = path == "spec.unschedulable" || path == "spec.hostNetwork";
  return value == nullptr && boolean ? "false" : "";
}

// Splits at unescaped commas; "\," and "\=" stand for themselves, as "\\" does.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size())
      terms.back() += text[++i];
    else if (text[i] == ',')
      terms.emplace_back();
    else
      terms.back() += text[i];
  }
  std::erase(terms, "");
  return terms;
}

std::optional<FieldRequirement> parse_term(const std::string& term) {
  const auto equals = term.find('=');
  if (equals == std::string::npos || equals == 0) return std::nullopt;
  FieldRequirement out;
  out.equal = term[equals - 1] != '!';
  out.path = term.substr(0, out.equal ? equals : equals - 1);
  const bool doubled = out.equal && term.substr(equals).starts_with("==");
  out.value = term.substr(equals + (doubled ? 2 : 1));
  return out;
}

}  // namespace

base::Result<FieldSelector> FieldSelector::parse(const api::Kind& kind, std::string_view text) {
  constexpr size_t k_most_terms = 1'024;  // they are asked of each object
  FieldSelector selector;
  const auto terms = split_terms(text);
  if (terms.size() > k_most_terms)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("a field selector has at most {} requirements", k_most_terms));
  for (const auto& term : terms) {
    auto requirement = parse_term(term);
    if (!requirement)
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("invalid field selector \"{}\": \"{}\" has no operator (=, "
                                    "==, !=)",
                                    text, term));
    if (!is_selectable(kind, requirement->path))
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("\"{}\" is not a known field selector of {}: only "
                                    "\"metadata.name\", \"metadata.namespace\" and the kind's own "
                                    "selectable fields are",
                                    requirement->path, kind.resource()));
    selector.requirements_.push_back(std::move(*requirement));
  }
  return selector;
}

bool FieldSelector::matches(const boost::json::object& object) const {
  return std::ranges::all_of(requirements_, [&](const FieldRequirement& requirement) {
    return (field_text(object, requirement.path) == requirement.value) == requirement.equal;
  });
}

std::optional<std::string> FieldSelector::extract(std::string_view path) {
  const auto found = std::ranges::find_if(requirements_, [&](const FieldRequirement& requirement) {
    return requirement.equal && requirement.path == path;
  });
  if (found == requirements_.end()) return std::nullopt;
  auto value = std::move(found->value);
  requirements_.erase(found);
  return value;
}

boost::json::object selectable_part(const api::Kind& kind, const boost::json::object& object) {
  boost::json::object part;
  const auto keep = [&](std::string_view path) {
    const auto* value = follow(object, path);
    if (value == nullptr) return;
    auto* at = &part;
    for (size_t dot; (dot = path.find('.')) != std::string_view::npos;
         path.remove_prefix(dot + 1)) {
      auto& below = (*at)[path.substr(0, dot)];
      at = below.is_object() ? &below.get_object() : &below.emplace_object();
    }
    (*at)[path] = *value;
  };
  for (const auto* path : {"metadata.name", "metadata.namespace", "metadata.labels"}) keep(path);
  const auto resource = kind.resource();
  for (const auto& entry : k_selectable)
    if (entry.resource == resource) keep(entry.path);
  return part;
}

}  // namespace margay::apiserver
