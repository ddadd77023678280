#pragma once

// Content negotiation: which form of an object a client accepts, and which form its body has.
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources)

#include <string>
#include <string_view>
#include <vector>

#include "apiserver/status.h"

namespace margay::apiserver {

enum class Format { json, yaml, protobuf };

// The shape of the answer: the object itself, a printed table, or its metadata alone.
enum class Shape { object, table, metadata };

struct Media {
  Format format = Format::json;
  Shape shape = Shape::object;
  std::string version = "v1";  // of meta.k8s.io, for tables and metadata
  std::string_view content_type() const;
};

// One range of an Accept header, in order of preference.
struct MediaRange {
  std::string type;                                             // "application/json", "*/*"
  std::vector<std::pair<std::string, std::string>> parameters;  // without q
  double quality = 1;
  std::string_view parameter(std::string_view name) const;
};
std::vector<MediaRange> parse_accept(std::string_view accept);

// What of an object there is in protobuf: of Kubernetes' own kinds all, of any kind the metadata.
enum class Protobuf { none, metadata, all };

// For objects. An empty header means JSON. Nothing acceptable is a 406.
Answer<Media> negotiate(std::string_view accept, Protobuf protobuf);

enum class BodyType { json, yaml, protobuf };
enum class PatchType { json, merge, strategic };

// The media type alone, lower case, without parameters: "Application/JSON; charset=utf-8".
std::string media_type(std::string_view content_type);
// No Content-Type means JSON, as in Kubernetes. Others: 415.
Answer<BodyType> body_type(std::string_view content_type);
Answer<PatchType> patch_type(std::string_view content_type);

}  // namespace margay::apiserver
