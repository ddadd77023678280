#pragma once

// A Schema in OpenAPI's words, version 2 (Swagger) or 3.

#include <boost/json/object.hpp>

#include "api/kind.h"
#include "api/schema.h"

namespace margay::api {

enum class OpenAPIVersion { v2, v3 };

class OpenAPISchemas {
 public:
  explicit OpenAPISchemas(OpenAPIVersion version) : version_(version) {}

  // Defines the kind and its list, with everything they refer to.
  void define(const Kind& kind);
  // Defines `schema`, which has a name.
  void define(const Schema& schema);

  // {"$ref": "#/definitions/<name>"} or the like.
  json::object reference(std::string_view name) const;
  static std::string list_name(const Kind& kind);

  OpenAPIVersion version() const { return version_; }
  const json::object& definitions() const { return definitions_; }

 private:
  json::object write(const Schema& schema, const std::string& doc);
  json::object write_object(const Schema& schema);
  json::object write_field(const Field& field);
  void define_list(const Kind& kind);

  OpenAPIVersion version_;
  json::object definitions_;
};

// Types of the API that are no kinds: ListMeta, Status, DeleteOptions, Patch.
const Schema& list_meta_schema();
const Schema& status_schema();
const Schema& delete_options_schema();
const Schema& patch_schema();

}  // namespace margay::api
