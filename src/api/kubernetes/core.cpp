// Namespace, ServiceAccount, ConfigMap, Secret, Event and Lease.

#include "api/kubernetes/common.h"
#include "api/kubernetes/kinds.h"

namespace margay::api {

namespace {

using namespace kubernetes;

// ---- namespaces -----------------------------------------------------------------------------

Described<Namespace> namespace_spec() {
  return object<Namespace>(
      "io.k8s.api.core.v1.NamespaceSpec", "What a namespace wants.",
      {keep("finalizers", list(string()), "Who must let go before the namespace can be removed.")});
}

Described<Namespace> namespace_status() {
  return object<Namespace>(
      "io.k8s.api.core.v1.NamespaceStatus", "Where a namespace stands.",
      {field("phase", &Namespace::phase, string().one_of({"Active", "Terminating"}), "Its phase.")
           .default_to("Active"),
       keep("conditions", conditions(), "Aspects of its state.").merges("type")});
}

// Policies select a namespace by name through this label, as Kubernetes 1.21 and later set it.
void label_with_name(json::value& root) {
  auto& metadata = root.get_object().at("metadata").get_object();
  const json::value* name = metadata.if_contains("name");
  if (name == nullptr) return;
  const json::value text = *name;
  auto& labels = metadata["labels"];
  if (!labels.is_object()) labels = json::object();
  labels.get_object()["kubernetes.io/metadata.name"] = text;
}

// ---- configuration ----------------------------------------------------------------------------

Described<std::map<std::string, std::string>> text_map() {
  return map_of<std::map<std::string, std::string>>(string());
}

void check_keys(const json::value& map, const Report& report) {
  for (const auto& [key, value] : map.get_object()) {
    const std::string_view name = key;
    const bool valid = name.size() <= 253 && !name.empty() && name != "." &&
                       !name.starts_with("..") &&
                       name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                           std::string_view::npos;
    if (!valid)
      report.key(name).invalid(json::value(name),
                               "a key must be at most 253 letters, digits, '-', '_' or '.'");
  }
}

// `immutable: true` can be neither taken back nor worked around.
Schema::UpdateCheck frozen_when_immutable(std::vector<std::string> fields) {
  return [fields = std::move(fields)](const json::value& before, const json::value& after,
                                      const Report& report) {
    static const json::value unset;
    const auto at = [](const json::value& object, std::string_view name) -> const json::value& {
      const json::value* value = object.get_object().if_contains(name);
      return value == nullptr ? unset : *value;
    };
    if (at(before, "immutable") != json::value(true)) return;
    for (const auto& name : fields)
      if (at(before, name) != at(after, name))
        report.field(name).forbidden("field is immutable when `immutable` is set");
  };
}

std::string to_base64(std::string_view text) {
  static constexpr std::string_view k_alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < text.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < text.size() ? static_cast<uint8_t>(text[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j)
      out += j > text.size() - i ? '=' : k_alphabet[group >> (18 - 6 * j) & 63];
  }
  return out;
}

// stringData is for writing only: it becomes data.
void merge_string_data(json::value& root) {
  auto& object = root.get_object();
  const json::value* plain = object.if_contains("stringData");
  if (plain == nullptr) return;
  const json::object texts = plain->get_object();
  object.erase("stringData");
  auto& data = object["data"];
  if (!data.is_object()) data = json::object();
  for (const auto& [key, text] : texts)
    data.get_object()[key] = to_base64(std::string_view(text.get_string()));
}

// ---- events -----------------------------------------------------------------------------------

std::vector<BoundField<Event>> event_fields() {
  return {keep("involvedObject", object_reference(), "What it is about.").required(),
          field("reason", &Event::reason, string(), "Why, in one word."),
          field("message", &Event::message, string(), "What happened."),
          field("type", &Event::type, string(), "Normal or Warning."),
          keep("source", any_object(), "Who reports it."),
          keep("firstTimestamp", time(), "When it was first seen."),
          keep("lastTimestamp", time(), "When it was last seen."),
          keep("count", integer(), "How often it was seen."),
          keep("eventTime", time(), "When it was first seen, to the microsecond."),
          keep("series", any_object(), "The series it belongs to."),
          keep("action", string(), "What was done."),
          keep("related", object_reference(), "What else it is about."),
          keep("reportingComponent", string(), "Which program reports it."),
          keep("reportingInstance", string(), "Which instance of the program reports it.")};
}

Described<json::value> lease_spec() {
  return object("io.k8s.api.coordination.v1.LeaseSpec", "Who holds the lease, and how long.",
                {keep("holderIdentity", string(), "Who holds it."),
                 keep("leaseDurationSeconds", integer().at_least(1), "How long without renewal."),
                 keep("acquireTime", time(), "When it was taken."),
                 keep("renewTime", time(), "When it was last renewed."),
                 keep("leaseTransitions", integer().at_least(0), "How often its holder changed."),
                 keep("strategy", string(), "How its holder is chosen."),
                 keep("preferredHolder", string(), "Who should hold it.")});
}

const Kind& lease() {
  static const auto described = describe_kind<Unread>(
      group_kind("coordination.k8s.io", "v1",
                 core_kind("Lease", "leases", {}, true, "A lock with a time limit.",
                           {{"Holder", "string", ".spec.holderIdentity", "Who holds it."}})),
      formats::dns_subdomain, {keep("spec", lease_spec(), "The lease.")});
  return described.kind;
}

Described<json::value> local_reference() {
  return object("io.k8s.api.core.v1.LocalObjectReference", "Names an object of the namespace.",
                {keep("name", string(), "Its name.")});
}

Kind namespace_kind() {
  Kind kind = core_kind("Namespace", "namespaces", {"ns"}, false, "A scope for names.",
                        {{"Status", "string", ".status.phase", "Its phase."}});
  kind.has_status = true;
  return kind;
}

}  // namespace

template <>
const Resource<Namespace>& resource<Namespace>() {
  static const auto described = [] {
    auto made = describe_kind<Namespace>(
        namespace_kind(), formats::dns_label,
        {embed("spec", namespace_spec(), "What it wants."),
         embed("status", namespace_status(), "Where it stands.").default_to(json::object())});
    made.type = std::move(made.type).normalize(label_with_name);
    return made;
  }();
  return described;
}

template <>
const Resource<ServiceAccount>& resource<ServiceAccount>() {
  static const auto described = describe_kind<ServiceAccount>(
      core_kind("ServiceAccount", "serviceaccounts", {"sa"}, true,
                "An identity for the pods of a namespace.", {}),
      formats::dns_subdomain,
      {keep("secrets", list(object_reference()), "Secrets its pods may use.").merges("name"),
       keep("imagePullSecrets", list(local_reference()), "Secrets for pulling images."),
       keep("automountServiceAccountToken", boolean(), "Whether pods get a token mounted.")});
  return described;
}

template <>
const Resource<ConfigMap>& resource<ConfigMap>() {
  static const auto described = [] {
    auto made = describe_kind<ConfigMap>(
        core_kind("ConfigMap", "configmaps", {"cm"}, true, "Configuration as keys and values.",
                  {{"Data", "string", ".data", "How many values it has."}}),
        formats::dns_subdomain,
        {field("data", &ConfigMap::items, text_map().check_json(check_keys), "The texts."),
         keep("binaryData", string_map().check_json(check_keys), "Bytes, in base64."),
         keep("immutable", boolean(), "Whether the values are final.")});
    made.type = std::move(made.type).check_update(
        frozen_when_immutable({"data", "binaryData", "immutable"}));
    return made;
  }();
  return described;
}

template <>
const Resource<Secret>& resource<Secret>() {
  static const auto described = [] {
    auto made = describe_kind<Secret>(
        core_kind("Secret", "secrets", {}, true, "Confidential values.",
                  {{"Type", "string", ".type", "What it is for."},
                   {"Data", "string", ".data", "How many values it has."}}),
        formats::dns_subdomain,
        {field("type", &Secret::type, string(), "What it is for.").default_to("Opaque").immutable(),
         field("data", &Secret::items,
               map_of<std::map<std::string, std::string>>(
                   string().format("byte").check(formats::base64))
                   .check_json(check_keys),
               "The values, in base64."),
         keep("stringData", string_map().check_json(check_keys), "Values to add to data, as text."),
         keep("immutable", boolean(), "Whether the values are final.")});
    made.type = std::move(made.type)
                    .normalize(merge_string_data)
                    .check_update(frozen_when_immutable({"data", "immutable"}));
    return made;
  }();
  return described;
}

template <>
const Resource<Event>& resource<Event>() {
  static const auto described = describe_kind<Event>(
      core_kind("Event", "events", {"ev"}, true, "Something that happened to an object.",
                {{"Type", "string", ".type", "Normal or Warning."},
                 {"Reason", "string", ".reason", "Why, in one word."},
                 {"Object", "string", ".involvedObject", "What it is about."},
                 {"Message", "string", ".message", "What happened."}}),
      formats::dns_subdomain, event_fields());
  return described;
}

namespace kubernetes {

std::vector<Kind> core_kinds() {
  return {resource<Namespace>().kind, resource<ServiceAccount>().kind, resource<ConfigMap>().kind,
          resource<Secret>().kind,    resource<Event>().kind,          lease()};
}

}  // namespace kubernetes

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Namespace);
MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::ServiceAccount);
MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::ConfigMap);
MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Secret);
MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Event);
