#include "api/codec.h"
#include "targets.h"

namespace margay::fuzz {

// What has been read is written so that it reads the same again, as YAML and as JSON.
void yaml(std::string_view bytes) {
  const auto documents = api::parse_yaml(bytes);
  if (!documents) return require(!documents.error().message.empty(), "an error says what is wrong");
  for (const auto& document : *documents) {
    const std::string json = api::to_json(document);
    require(api::parse_json(json).has_value(), "what YAML says can be stored as JSON");
    const auto again = api::parse_yaml(api::to_yaml(document));
    require(again.has_value() && again->size() <= 1, "what was written can be read");
    if (again->size() == 1) require(api::to_json(again->front()) == json, "it is the same");
  }
}

}  // namespace margay::fuzz
