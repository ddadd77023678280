#pragma once

// For tests of what is accepted: a manifest in YAML, and every error it must give.

#include <string>
#include <vector>

#include "api/codec.h"
#include "api/kind.h"

namespace margay::api {

struct ValidationCase {
  std::string name;
  std::string manifest;             // without apiVersion, kind and name
  std::vector<std::string> errors;  // messages, in order; none: the manifest is valid
};

inline base::Result<Prepared> prepare_manifest(const Kind& kind, const std::string& manifest,
                                               UnknownFields unknown = UnknownFields::refuse) {
  MARGAY_TRY(const auto documents, parse_yaml(manifest));
  json::object object = documents.empty() ? json::object() : documents.at(0).as_object();
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.name;
  if (!object.contains("metadata")) object["metadata"] = json::object{{"name", "default"}};
  return prepare(kind, std::move(object), unknown);
}

inline std::vector<std::string> errors_of(const Kind& kind, const std::string& manifest) {
  const auto prepared = prepare_manifest(kind, manifest);
  if (prepared) return {};
  std::vector<std::string> messages;
  for (const auto& field : prepared.error().fields) messages.push_back(field.message());
  if (messages.empty()) messages.push_back(prepared.error().message);
  return messages;
}

}  // namespace margay::api
