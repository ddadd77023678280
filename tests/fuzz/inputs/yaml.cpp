#include "api/codec.h"
#include "targets.h"

namespace margay::fuzz {

// What has been read can be stored as JSON, and reads the same again when it was written as YAML.
void yaml(std::string_view bytes) {
  const auto documents = api::parse_yaml(bytes);
  if (!documents) return require(!documents.error().message.empty(), "an error says what is wrong");
  for (const auto& document : *documents) {
    require(api::parse_json(api::to_json(document)).has_value(),
            "what YAML says can be stored as JSON");
    const std::string text = api::to_yaml(document);
    const auto again = api::parse_yaml(text);
    // Keys longer than 1,024 characters have no place in YAML as we write it (YAML 1.2, 7.4.2).
    if (!again) continue;
    require(again->size() <= 1, "one document stays one");
    // Written again, not compared as JSON: 8.0 and 8 are one number.
    if (again->size() == 1) require(api::to_yaml(again->front()) == text, "it is the same");
  }
}

}  // namespace margay::fuzz
