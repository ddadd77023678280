#include "api/openapi_paths.h"

#include <initializer_list>

namespace margay::api {

namespace {

struct Parameter {
  std::string_view name;
  std::string_view type;
  std::string_view doc;
};

constexpr Parameter k_list_parameters[] = {
    {"labelSelector", "string", "Only objects whose labels satisfy this."},
    {"fieldSelector", "string", "Only objects whose fields satisfy this."},
    {"limit", "integer", "At most this many objects; the answer says how to go on."},
    {"continue", "string", "Goes on with a list that was cut."},
    {"resourceVersion", "string", "At least this version; for a watch: after it."},
    {"resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."},
    {"timeoutSeconds", "integer", "Ends the watch after this time."},
    {"watch", "boolean", "Sends changes as they happen."},
    {"allowWatchBookmarks", "boolean", "Lets a watch tell how far it is."},
    {"sendInitialEvents", "boolean", "Begins a watch with every object there is."}};
constexpr Parameter k_write_parameters[] = {
    {"dryRun", "string", "All: checks the request and stores nothing."},
    {"fieldManager", "string", "Who makes the change."},
    {"fieldValidation", "string", "What unknown fields are: Ignore, Warn or Strict."}};
constexpr Parameter k_patch_parameters[] = {
    {"dryRun", "string", "All: checks the request and stores nothing."},
    {"fieldManager", "string", "Who makes the change."},
    {"fieldValidation", "string", "What unknown fields are: Ignore, Warn or Strict."},
    {"force", "boolean", "Takes over fields that others manage."}};
constexpr Parameter k_delete_parameters[] = {
    {"dryRun", "string", "All: checks the request and deletes nothing."},
    {"gracePeriodSeconds", "integer", "How long the object may take to end."},
    {"propagationPolicy", "string", "What becomes of the objects it owns."}};

enum class Body { none, object, patch, delete_options };
enum class Answer { object, list, status };

struct Verb {
  std::string_view method;
  std::string_view action;  // x-kubernetes-action
  std::span<const Parameter> parameters;
  Body body = Body::none;
  Answer answer = Answer::object;
  std::string_view doc;
};

const Verb k_list{"get", "list", k_list_parameters, Body::none, Answer::list, "List or watch"};
const Verb k_create{"post", "post", k_write_parameters, Body::object, Answer::object, "Create"};
const Verb k_delete_all{"delete",          "deletecollection",
                        k_list_parameters, Body::delete_options,
                        Answer::status,    "Delete the collection of"};
const Verb k_get{"get", "get", {}, Body::none, Answer::object, "Read"};
const Verb k_replace{"put", "put", k_write_parameters, Body::object, Answer::object, "Replace"};
const Verb k_patch{"patch", "patch", k_patch_parameters, Body::patch, Answer::object, "Change"};
const Verb k_delete{"delete",       "delete", k_delete_parameters, Body::delete_options,
                    Answer::status, "Delete"};

bool is_kubernetes_kind(const Kind& kind) {
  return kind.group.empty() || kind.group.ends_with(".k8s.io");
}

class Paths {
 public:
  Paths(const Kind& kind, const OpenAPISchemas& schemas) : kind_(kind), schemas_(schemas) {}

  json::object write() {
    const std::string root = api_root(kind_);
    if (kind_.namespaced) add(root + "/" + kind_.plural, {k_list}, "ForAllNamespaces");
    const std::string collection =
        root + (kind_.namespaced ? "/namespaces/{namespace}/" : "/") + kind_.plural;
    if (kind_.resource() == "namespaces")
      add(collection, {k_list, k_create}, {});
    else
      add(collection, {k_list, k_create, k_delete_all}, {});
    add(collection + "/{name}", {k_get, k_replace, k_patch, k_delete}, {});
    if (kind_.has_status) add(collection + "/{name}/status", {k_get, k_replace, k_patch}, "Status");
    return std::move(paths_);
  }

 private:
  bool v2() const { return schemas_.version() == OpenAPIVersion::v2; }

  void add(const std::string& path, std::initializer_list<Verb> verbs, std::string_view suffix) {
    json::object item;
    for (const auto& verb : verbs) item[verb.method] = operation(verb, suffix);
    json::array shared;
    for (const std::string_view name : {"namespace", "name"}) {
      if (path.find("{" + std::string(name) + "}") == std::string::npos) continue;
      json::object parameter = typed({name, "string", "In the path."});
      parameter["in"] = "path";
      parameter["required"] = true;
      shared.push_back(std::move(parameter));
    }
    if (!shared.empty()) item["parameters"] = std::move(shared);
    paths_[path] = std::move(item);
  }

  json::object typed(const Parameter& parameter) const {
    json::object out{{"name", parameter.name}, {"description", parameter.doc}};
    if (v2()) {
      out["type"] = parameter.type;
      out["uniqueItems"] = true;
    } else {
      out["schema"] = json::object{{"type", parameter.type}, {"uniqueItems", true}};
    }
    return out;
  }

  std::string operation_id(const Verb& verb, std::string_view suffix) const {
    std::string id(verb.action);
    std::string group = kind_.group.empty() ? "core" : kind_.group.substr(0, kind_.group.find('.'));
    std::string version = kind_.version;
    for (std::string* word : {&group, &version}) {
      word->front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word->front())));
      id += *word;
    }
    const bool all = suffix == "ForAllNamespaces";
    if (kind_.namespaced && !all) id += "Namespaced";
    return id.append(kind_.name).append(suffix);
  }

  json::object operation(const Verb& verb, std::string_view suffix) const {
    json::object out{
        {"description", std::string(verb.doc) + " objects of kind " + kind_.name + "."},
        {"operationId", operation_id(verb, suffix)},
        {"tags", json::array{kind_.api_version()}}};
    json::array parameters;
    for (const auto& parameter : verb.parameters) {
      json::object query = typed(parameter);
      query["in"] = "query";
      parameters.push_back(std::move(query));
    }
    if (verb.body != Body::none) add_body(verb.body, out, parameters);
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
    out["responses"] = json::object{{"200", response(verb.answer)}};
    if (v2()) out["produces"] = json::array{"application/json", "application/yaml"};
    out["x-kubernetes-action"] = verb.action;
    out["x-kubernetes-group-version-kind"] =
        json::object{{"group", kind_.group}, {"version", kind_.version}, {"kind", kind_.name}};
    return out;
  }

  // A strategic merge patch is offered for the kinds that Kubernetes' clients have types for:
  // kubectl works such a patch out from OpenAPI, but applies it (--dry-run=client) to its own type.
  json::array content_types(Body body) const {
    if (body != Body::patch) return {"application/json", "application/yaml"};
    json::array types{"application/json-patch+json", "application/merge-patch+json"};
    if (is_kubernetes_kind(kind_)) types.emplace_back("application/strategic-merge-patch+json");
    return types;
  }

  json::object body_schema(Body body) const {
    if (body == Body::object) return schemas_.reference(kind_.schema->name);
    return schemas_.reference(body == Body::patch ? patch_schema().name
                                                  : delete_options_schema().name);
  }

  void add_body(Body body, json::object& out, json::array& parameters) const {
    const bool required = body != Body::delete_options;
    if (v2()) {
      out["consumes"] = content_types(body);
      parameters.push_back(json::object{
          {"name", "body"}, {"in", "body"}, {"required", required}, {"schema", body_schema(body)}});
      return;
    }
    json::object content;
    for (const auto& type : content_types(body))
      content[type.get_string()] = json::object{{"schema", body_schema(body)}};
    out["requestBody"] = json::object{{"content", std::move(content)}, {"required", required}};
  }

  json::object response(Answer answer) const {
    const json::object schema =
        schemas_.reference(answer == Answer::status ? status_schema().name
                           : answer == Answer::list ? OpenAPISchemas::list_name(kind_)
                                                    : kind_.schema->name);
    if (v2()) return {{"description", "OK"}, {"schema", schema}};
    return {{"description", "OK"},
            {"content", json::object{{"application/json", json::object{{"schema", schema}}}}}};
  }

  const Kind& kind_;
  const OpenAPISchemas& schemas_;
  json::object paths_;
};

}  // namespace

std::string api_root(const Kind& kind) {
  return (kind.group.empty() ? "/api/" : "/apis/") + kind.api_version();
}

json::object openapi_paths(const Kind& kind, const OpenAPISchemas& schemas) {
  return Paths(kind, schemas).write();
}

}  // namespace margay::api
