#pragma once

// What every object has: Kubernetes' ObjectMeta (apimachinery meta/v1), as far as Margay reads it.
// Objects travel and are stored as JSON, so that nothing a client wrote is lost; these structs are
// what the code that uses an object reads and writes (api/codec.h decodes one into the other).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace margay::api {

using Labels = std::map<std::string, std::string, std::less<>>;

// Kubernetes' IntOrString, Calico's numorstring: a port number or name, a protocol number or name.
using IntOrString = std::variant<int64_t, std::string>;

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  std::optional<bool> controller;
  std::optional<bool> block_owner_deletion;
  bool operator==(const OwnerReference&) const = default;
};

struct ObjectMeta {
  std::string name;
  std::string generate_name;
  std::string ns;  // "namespace"; empty for cluster-scoped objects
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::string creation_timestamp;  // RFC 3339
  std::string deletion_timestamp;  // RFC 3339; empty: not being deleted
  std::optional<int64_t> deletion_grace_period_seconds;
  Labels labels;
  Labels annotations;
  std::vector<OwnerReference> owner_references;
  std::vector<std::string> finalizers;
  bool operator==(const ObjectMeta&) const = default;
};

}  // namespace margay::api
