#include "api/describe.h"
#include "api/formats.h"

namespace margay::api {

namespace {

Described<OwnerReference> owner_reference() {
  return object<OwnerReference>(
      "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
      "An object that this one belongs to: it is garbage once all of its owners are gone.",
      {field("apiVersion", &OwnerReference::api_version, string(), "The owner's API version.")
           .required(),
       field("kind", &OwnerReference::kind, string(), "The owner's kind.").required(),
       field("name", &OwnerReference::name, string(), "The owner's name.").required(),
       field("uid", &OwnerReference::uid, string(), "The owner's uid.").required(),
       field("controller", &OwnerReference::controller, boolean(),
             "Whether the owner manages this object; at most one does."),
       field("blockOwnerDeletion", &OwnerReference::block_owner_deletion, boolean(),
             "Whether foreground deletion of the owner waits for this object.")});
}

void one_controller(const std::vector<OwnerReference>& owners, const Report& report) {
  size_t controllers = 0;
  for (const auto& owner : owners) controllers += owner.controller.value_or(false) ? 1 : 0;
  if (controllers > 1) report.invalid(controllers, "only one owner may be the controller");
}

// Kubernetes' own names for its types; for others the API version and the kind.
std::string definition_name(const Kind& kind) {
  const size_t suffix = kind.group.find(".k8s.io");
  std::string group = kind.group;
  if (group.empty())
    group = "io.k8s.api.core";
  else if (suffix != std::string::npos)
    group = "io.k8s.api." + group.substr(0, suffix);
  return group + "." + kind.version + "." + kind.name;
}

Described<std::string> time() {
  return string().keeps_empty().format("date-time").check(formats::rfc3339);
}

}  // namespace

const Described<ObjectMeta>& object_meta() {
  static const auto described = object<ObjectMeta>(
      "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "What every stored object has.",
      {field("name", &ObjectMeta::name, string(),
             "Unique within the namespace (or the cluster) among objects of the kind.")
           .immutable(),
       field("generateName", &ObjectMeta::generate_name, string(),
             "A prefix; the server completes it to a unique name when name is not given."),
       field("namespace", &ObjectMeta::ns, string(), "The namespace the object lives in.")
           .immutable(),
       keep("selfLink", string(), "Deprecated: the URL of the object."),
       field("uid", &ObjectMeta::uid, string(),
             "Tells this object from others that had its name before; set by the server.")
           .immutable(),
       field("resourceVersion", &ObjectMeta::resource_version, string(),
             "Changes with every write; a write that names an old one is refused."),
       field("generation", &ObjectMeta::generation, integer(),
             "Counts the changes of the desired state; set by the server."),
       field("creationTimestamp", &ObjectMeta::creation_timestamp, time(),
             "When the object was created; set by the server."),
       field("deletionTimestamp", &ObjectMeta::deletion_timestamp, time(),
             "When the object is to be gone; set by the server once deletion is asked for."),
       field("deletionGracePeriodSeconds", &ObjectMeta::deletion_grace_period_seconds, integer(),
             "How long the object may take to end; set with deletionTimestamp."),
       field("labels", &ObjectMeta::labels, string_map().check(formats::labels),
             "Keys and values that selectors select by."),
       field("annotations", &ObjectMeta::annotations, string_map().check(formats::annotations),
             "Keys and values for tools; not selected by."),
       field("ownerReferences", &ObjectMeta::owner_references,
             list(owner_reference()).check(one_controller), "The objects this one belongs to.")
           .merges("uid"),
       field("finalizers", &ObjectMeta::finalizers, list(string().check(formats::qualified_name)),
             "Who must let go before the object can be removed.")
           .merges(),
       keep("clusterName", string(), "Deprecated."),
       keep("managedFields", any_list(), "Which client manages which fields.")});
  return described;
}

void complete_kind(Kind& kind, Schema& schema, NameRule name_rule) {
  schema.name = definition_name(kind);
  if (kind.singular.empty()) {
    kind.singular = kind.name;
    for (char& c : kind.singular)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  schema.normalizers.insert(schema.normalizers.begin(),
                            [namespaced = kind.namespaced](json::value& root) {
                              json::object& metadata = root.get_object()["metadata"].get_object();
                              if (!namespaced) {
                                metadata.erase("namespace");
                              } else if (!metadata.contains("namespace")) {
                                metadata["namespace"] = "default";
                              }
                            });
  schema.checks.insert(
      schema.checks.begin(), [namespaced = kind.namespaced, name_rule = std::move(name_rule)](
                                 const json::value& root, const Report& report) {
        const auto metadata_path = report.field("metadata");
        const json::object& metadata = root.get_object().at("metadata").get_object();
        const auto text = [&](std::string_view name) {
          const json::value* value = metadata.if_contains(name);
          return value != nullptr ? std::string(value->get_string()) : std::string();
        };
        const std::string name = text("name");
        const std::string prefix = text("generateName");
        if (!name.empty()) {
          name_rule(name, metadata_path.field("name"));
        } else if (prefix.empty()) {
          metadata_path.field("name").required("name or generateName is required");
        } else {
          // The server appends to the prefix; "x" stands for that.
          name_rule(prefix + "x", metadata_path.field("generateName"));
        }
        if (namespaced) formats::dns_label(text("namespace"), metadata_path.field("namespace"));
      });
}

}  // namespace margay::api
