#include "object_source.h"

#include <algorithm>

#include "values.h"

namespace margay::peers {

namespace {

bool is_scalar(const GoField& field) {
  return field.type != "object" && field.type != "list" && field.type != "map";
}

// What is not omitted: fields with a rule that "" does not satisfy either.
bool is_expected(const GoField& field) {
  return is_scalar(field) && !field.rule.empty() && !field.rule.starts_with("omitempty") &&
         field.rule != "selector";
}

GoField* find(GoField& of, std::string_view name) {
  const auto found = std::ranges::find(of.parts, name, &GoField::name);
  return found == of.parts.end() ? nullptr : &*found;
}

// Of metadata only what Calico's validator looks at; what is left is Kubernetes' own.
void narrow(const std::string& kind, GoField& fields) {
  std::erase_if(fields.parts, [](const GoField& part) {
    return part.name == "kind" || part.name == "apiVersion";
  });
  GoField* metadata = find(fields, "metadata");
  std::erase_if(metadata->parts, [](const GoField& part) {
    return part.name != "name" && part.name != "labels" && part.name != "annotations";
  });
  const bool policy = kind == "NetworkPolicy" || kind == "GlobalNetworkPolicy";
  find(*metadata, "name")->rule = policy ? "policyName" : "name";
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* text = object.if_contains(name);
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : std::string();
}

// Endpoints are named for their parts; a changed part gives another name.
void name_for_parts(json::object& endpoint) {
  auto* spec = endpoint.if_contains("spec");
  auto* metadata = endpoint.if_contains("metadata");
  if (spec == nullptr || !spec->is_object() || metadata == nullptr || !metadata->is_object())
    return;
  const auto& parts = spec->get_object();
  const std::string orchestrator = text_of(parts, "orchestrator");
  const char* workload = orchestrator == "k8s"          ? "pod"
                         : orchestrator == "cni"        ? "containerID"
                         : orchestrator == "libnetwork" ? "orchestrator"
                                                        : "workload";
  std::string name;
  for (const char* part : {"node", "orchestrator", workload, "endpoint"}) {
    if (!name.empty()) name += '-';
    for (const char c : text_of(parts, part)) name.append(c == '-' ? 2 : 1, c);
  }
  metadata->get_object()["name"] = name;
}

const std::vector<std::string>& keys() {
  static const std::vector<std::string> k_keys{"a",
                                               "projectcalico.org/namespace",
                                               "a.b/c_d",
                                               "pcns.team",
                                               "A",
                                               "-a",
                                               "a/b/c",
                                               "A.b/c",
                                               "/a",
                                               "a/",
                                               "",
                                               "a b",
                                               std::string(63, 'k'),
                                               std::string(64, 'k'),
                                               "\u00e9",
                                               "kubernetes.io/name"};
  return k_keys;
}

const std::vector<json::value>& entries() {
  static const std::vector<json::value> k_entries{"",
                                                  "b",
                                                  "B_c.d-e",
                                                  "-b",
                                                  "b-",
                                                  "a b",
                                                  json::value(std::string(63, 'v')),
                                                  json::value(std::string(64, 'v')),
                                                  nullptr,
                                                  1,
                                                  true,
                                                  "\u00e9",
                                                  json::object{}};
  return k_entries;
}

}  // namespace

ObjectSource::ObjectSource(std::string kind, GoField fields, Random& random)
    : kind_(std::move(kind)), fields_(std::move(fields)), random_(random) {
  narrow(kind_, fields_);
}

json::object ObjectSource::starting_point() {
  json::object object{{"apiVersion", "projectcalico.org/v3"}, {"kind", kind_}};
  const bool is_single = kind_ == "ClusterInformation" || kind_ == "KubeControllersConfiguration";
  const bool is_default = is_single || (kind_ == "BGPConfiguration" && random_.chance(80));
  json::object metadata{{"name", is_default ? "default" : "a"}};
  if (kind_ == "NetworkPolicy" || kind_ == "NetworkSet" || kind_ == "WorkloadEndpoint")
    metadata["namespace"] = "default";
  object["metadata"] = std::move(metadata);
  if (kind_ == "HostEndpoint") object["spec"] = {{"node", "n"}, {"interfaceName", "eth0"}};
  if (kind_ == "IPPool") object["spec"] = {{"cidr", "10.0.0.0/16"}};
  if (kind_ == "WorkloadEndpoint")
    object["spec"] = {{"node", "n-1"},
                      {"orchestrator", "k8s"},
                      {"pod", "p"},
                      {"endpoint", "eth0"},
                      {"interfaceName", "cali1"}};
  return object;
}

json::value ObjectSource::usual(const GoField& field, int depth) {
  if (field.type == "object") {
    json::object object;
    fill(field, object, 50, depth + 1);
    return object;
  }
  if (field.type == "map") return json::object{{"a", "b"}};
  if (field.type != "list") return random_.one_of(values_for(field).usual);
  GoField item = field.parts.front();
  if (is_scalar(item)) {  // the rule of a list's items stands at the list
    item.name = field.name;
    item.rule = field.rule;
  }
  json::array list;
  for (size_t count = 1 + random_.below(2); count > 0; --count) list.push_back(usual(item, depth));
  return list;
}

void ObjectSource::fill(const GoField& of, json::object& object, unsigned percent, int depth) {
  for (const auto& part : of.parts) {
    json::value* present = object.if_contains(part.name);
    if (present != nullptr && present->is_object() && part.type == "object")
      fill(part, present->get_object(), percent, depth + 1);
    const unsigned chance = is_expected(part) ? 100 : depth > 3 ? percent / 2 : percent;
    if (present == nullptr && random_.chance(chance)) object[part.name] = usual(part, depth);
  }
}

void ObjectSource::change(const GoField& of, json::object& object) {
  if (of.parts.empty()) return;
  const GoField& part = random_.one_of(of.parts);
  if (random_.chance(8)) {
    object[part.name] = random_.one_of(any_type());
  } else if (random_.chance(4)) {
    object.erase(part.name);
  } else if (is_scalar(part)) {
    object[part.name] = random_.one_of(values_for(part).odd);
  } else {
    json::value& value = object[part.name];
    const bool present = part.type == "list" ? value.is_array() : value.is_object();
    if (!present) value = usual(part, 1);
    if (part.type == "object") change(part, value.get_object());
    if (part.type == "list") change_list(part, value.get_array());
    if (part.type == "map") change_map(value.get_object());
  }
}

void ObjectSource::change_list(const GoField& of, json::array& list) {
  GoField item = of.parts.front();
  if (!list.empty() && random_.chance(8)) {
    list.push_back(json::value(list.front()));
  } else if (random_.chance(8)) {
    list.push_back(random_.one_of(any_type()));
  } else if (random_.chance(4)) {
    for (size_t count = random_.below(10); count > 0; --count)
      list.push_back(usual(of, 1).as_array()[0]);
  } else if (is_scalar(item)) {
    item.name = of.name;
    item.rule = of.rule;
    list.push_back(random_.one_of(values_for(item).odd));
  } else if (!list.empty()) {
    json::value& chosen = list[random_.below(list.size())];
    if (chosen.is_object()) change(item, chosen.get_object());
  }
}

void ObjectSource::change_map(json::object& map) {
  const json::value& entry = random_.one_of(entries());
  // A null entry is dropped here, where Calico makes "" of it: its key must not decide.
  map[entry.is_null() ? "null" : random_.one_of(keys())] = entry;
  if (random_.chance(2)) map["a"] = std::string(size_t{256} * 1024, 'x');
}

json::object ObjectSource::next() {
  json::object object = starting_point();
  fill(fields_, object, random_.chance(50) ? 15 : 50, 0);
  if (random_.chance(30) && kind_ != "WorkloadEndpoint") object.erase("status");
  const size_t changes = std::vector<size_t>{0, 1, 1, 1, 2}[random_.below(5)];
  for (size_t i = 0; i < changes; ++i) {
    if (json::value* spec = object.if_contains("spec");
        spec != nullptr && spec->is_object() && random_.chance(85))
      change(*find(fields_, "spec"), spec->get_object());
    else
      change(fields_, object);
  }
  if (kind_ == "WorkloadEndpoint" && random_.chance(90)) name_for_parts(object);
  return object;
}

}  // namespace margay::peers
