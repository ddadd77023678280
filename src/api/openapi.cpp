#include "api/openapi.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "api/openapi_paths.h"
#include "api/openapi_schema.h"

namespace margay::api {

namespace {

json::object about() { return {{"title", "Margay"}, {"version", MARGAY_VERSION}}; }

void define_common(OpenAPISchemas& schemas) {
  for (const Schema* schema :
       {&list_meta_schema(), &status_schema(), &delete_options_schema(), &patch_schema()})
    schemas.define(*schema);
}

void add_paths(const Kind& kind, const OpenAPISchemas& schemas, json::object& paths) {
  for (auto& [path, item] : openapi_paths(kind, schemas)) paths[path] = std::move(item);
}

std::string digest(std::string_view text) {
  unsigned char bytes[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes);
  std::string hex;
  for (const unsigned char byte : bytes) hex += fmt::format("{:02X}", byte);
  return hex;
}

// "api/v1", "apis/projectcalico.org/v3".
std::string document_path(const Kind& kind) { return api_root(kind).substr(1); }

}  // namespace

json::object openapi_v2() {
  OpenAPISchemas schemas(OpenAPIVersion::v2);
  define_common(schemas);
  json::object paths;
  for (const auto& kind : kinds()) {
    schemas.define(kind);
    add_paths(kind, schemas, paths);
  }
  return {{"swagger", "2.0"},
          {"info", about()},
          {"paths", std::move(paths)},
          {"definitions", schemas.definitions()}};
}

std::vector<std::string> openapi_v3_paths() {
  std::vector<std::string> paths;
  for (const auto& kind : kinds())
    if (const auto path = document_path(kind); std::ranges::find(paths, path) == paths.end())
      paths.push_back(path);
  std::ranges::sort(paths);
  return paths;
}

base::Result<json::object> openapi_v3(std::string_view path) {
  OpenAPISchemas schemas(OpenAPIVersion::v3);
  define_common(schemas);
  json::object paths;
  for (const auto& kind : kinds()) {
    if (document_path(kind) != path) continue;
    schemas.define(kind);
    add_paths(kind, schemas, paths);
  }
  if (paths.empty())
    return base::fail(base::ErrorCode::not_found, fmt::format("there is no API \"{}\"", path));
  return json::object{{"openapi", "3.0.0"},
                      {"info", about()},
                      {"paths", std::move(paths)},
                      {"components", json::object{{"schemas", schemas.definitions()}}}};
}

json::object openapi_v3_index() {
  json::object paths;
  for (const auto& path : openapi_v3_paths()) {
    const auto hash = digest(json::serialize(*openapi_v3(path)));
    paths[path] =
        json::object{{"serverRelativeURL", fmt::format("/openapi/v3/{}?hash={}", path, hash)}};
  }
  return {{"paths", std::move(paths)}};
}

}  // namespace margay::api
