#include "apiserver/protobuf_body.h"

#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "targets.h"

namespace margay::fuzz {

// What has been read can be stored as JSON, and written as protobuf so that it reads the same
// again.
void protobuf(std::string_view bytes) {
  const auto object = apiserver::parse_protobuf(bytes);
  if (!object) return;
  const std::string text = boost::json::serialize(*object);
  require(api::parse_json(text).has_value(), "what was read can be stored");
  const auto version = object->find("apiVersion"), kind = object->find("kind");
  if (version == object->end() || kind == object->end()) return;
  // Read whatever their version is said to be, and never written.
  if (kind->value() == "DeleteOptions") return;
  const auto written = apiserver::to_protobuf(std::string_view(version->value().as_string()),
                                              std::string_view(kind->value().as_string()), *object);
  require(written.has_value(), "it can be written");
  const auto again = apiserver::parse_protobuf(*written);
  require(again.has_value(), "what was written can be read");
  require(*again == *object, "it is the same");
}

}  // namespace margay::fuzz
