#include "api/kubernetes/common.h"

#include <algorithm>
#include <set>

namespace margay::api::kubernetes {

namespace {

void check_requirement(const LabelSelectorRequirement& requirement, const Report& report) {
  const auto values = report.field("values");
  const bool takes_values = requirement.op == "In" || requirement.op == "NotIn";
  if (takes_values && requirement.values.empty())
    values.required("must be given when operator is In or NotIn");
  if (!takes_values && !requirement.values.empty())
    values.forbidden("may not be given when operator is Exists or DoesNotExist");
}

Described<LabelSelectorRequirement> label_selector_requirement() {
  using Requirement = LabelSelectorRequirement;
  return object<Requirement>(
             "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement",
             "A test of one label.",
             {field("key", &Requirement::key, string().check(formats::qualified_name),
                    "The label's key.")
                  .required(),
              field("operator", &Requirement::op,
                    string().one_of({"In", "NotIn", "Exists", "DoesNotExist"}),
                    "How the label's value relates to the values.")
                  .required(),
              field("values", &Requirement::values, list(string().check(formats::label_value)),
                    "For In and NotIn.")})
      .check(check_requirement);
}

}  // namespace

Kind core_kind(std::string name, std::string plural, std::vector<std::string> short_names,
               bool namespaced, std::string doc, std::vector<Column> columns) {
  columns.push_back({"Age", "date", ".metadata.creationTimestamp", "Time since creation."});
  return {.group = {},
          .version = "v1",
          .name = std::move(name),
          .plural = std::move(plural),
          .singular = {},
          .short_names = std::move(short_names),
          .categories = {},
          .namespaced = namespaced,
          .has_status = false,
          .doc = std::move(doc),
          .schema = {},
          .columns = std::move(columns)};
}

Kind group_kind(std::string group, std::string version, Kind kind) {
  kind.group = std::move(group);
  kind.version = std::move(version);
  return kind;
}

Described<std::string> time() {
  return string().keeps_empty().format("date-time").check(formats::rfc3339);
}

Described<std::string> transport_protocol() { return string().one_of({"TCP", "UDP", "SCTP"}); }

Described<LabelSelector> label_selector() {
  return object<LabelSelector>(
      "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
      "Selects by labels. Everything in it must hold; an empty one selects everything.",
      {field("matchLabels", &LabelSelector::match_labels, wanted_labels().check(formats::labels),
             "Labels and the values they must have."),
       field("matchExpressions", &LabelSelector::match_expressions,
             list(label_selector_requirement()), "Tests of labels.")});
}

Described<std::vector<json::value>> conditions() {
  return list(object("", "One aspect of the state.",
                     {keep("type", string(), "Which aspect.").required(),
                      keep("status", string(), "True, False or Unknown."),
                      keep("reason", string(), "Why, in one word."),
                      keep("message", string(), "Why, in a sentence."),
                      keep("lastTransitionTime", time(), "When the status changed."),
                      keep("lastProbeTime", time(), "When it was last looked at."),
                      keep("lastHeartbeatTime", time(), "When it was last reported."),
                      keep("observedGeneration", integer(), "The generation it is about.")}));
}

Described<json::value> object_reference() {
  return object(
      "io.k8s.api.core.v1.ObjectReference", "Names another object.",
      {keep("apiVersion", string(), "Its API version."), keep("kind", string(), "Its kind."),
       keep("name", string(), "Its name."), keep("namespace", string(), "Its namespace."),
       keep("uid", string(), "Its uid."), keep("resourceVersion", string(), "The version of it."),
       keep("fieldPath", string(), "A part of it.")});
}

Described<std::string> ip_in(std::string name, std::string doc) {
  return text_in(std::move(name), std::move(doc),
                 keep("ip", string().check(formats::ip_address), "The address."));
}

void unique_by(std::string_view key, const json::value& objects, const Report& report) {
  std::set<std::string> seen;
  const auto& array = objects.get_array();
  for (size_t i = 0; i < array.size(); ++i) {
    const json::value* value = array[i].get_object().if_contains(key);
    if (value == nullptr || !value->is_string()) continue;
    if (!seen.emplace(value->get_string()).second) report.item(i).field(key).duplicate(*value);
  }
}

}  // namespace margay::api::kubernetes
