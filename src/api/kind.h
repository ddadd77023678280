#pragma once

// A kind: everything there is to know about one resource type, described once. From it come the
// codec, defaulting, validation, OpenAPI, printed columns, discovery and the reference docs.

#include <boost/json/object.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;
struct Schema;  // api/schema.h

// A column of the server-side table (kubectl get) and of calicoctl's output.
struct Column {
  std::string name;       // "Order"
  std::string type;       // OpenAPI type: string, integer, number, boolean, date
  std::string json_path;  // ".spec.order"
  std::string description;
  int priority = 0;  // above 0: only with -o wide
};

struct Kind {
  std::string group;     // "projectcalico.org"; empty for Kubernetes' core group
  std::string version;   // "v3"
  std::string name;      // "NetworkPolicy"
  std::string plural;    // "networkpolicies": the resource in URLs
  std::string singular;  // "networkpolicy"
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced = false;
  bool has_status = false;  // a /status subresource
  std::string doc;
  std::shared_ptr<const Schema> schema;
  std::vector<Column> columns;
  // The resource() of another kind, whose objects this one shows (api/stored_form.h). Empty: it has
  // objects of its own. One that shows others' is only a form: they are prepared as the other kind.
  std::string shows = {};

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  // "networkpolicies.projectcalico.org": the key of the store, and what messages say.
  std::string resource() const { return group.empty() ? plural : plural + "." + group; }
};

// Every kind, in a fixed order. Immutable; safe from any thread.
std::span<const Kind> kinds();
const Kind* find_kind(std::string_view api_version, std::string_view name);
// By "plural.group" (or plural alone for the core group), as Kind::resource() gives it.
const Kind* find_resource(std::string_view resource);

enum class UnknownFields { warn, refuse, ignore };

struct Prepared {
  json::object object;                // defaulted, canonical, without unknown fields
  std::vector<std::string> warnings;  // `unknown field "spec.foo"`
};

// What every door into the system does to an object before it is stored or used: drops unknown
// fields as told, applies defaults, checks everything, and reports all that is wrong at once.
base::Result<Prepared> prepare(const Kind& kind, json::object object, UnknownFields unknown);

// Also checks what may not change between `old_object` and `object` (immutable fields).
base::Result<> check_update(const Kind& kind, const json::object& old_object,
                            const json::object& object);

}  // namespace margay::api
