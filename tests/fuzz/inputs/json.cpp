#include "api/codec.h"
#include "targets.h"

namespace margay::fuzz {

// What has been read is written so that it reads the same again.
void json(std::string_view bytes) {
  const auto value = api::parse_json(bytes);
  if (!value) return require(!value.error().message.empty(), "an error says what is wrong");
  const std::string text = api::to_json(*value);
  const auto again = api::parse_json(text);
  require(again.has_value(), "what was written can be read");
  require(api::to_json(*again) == text, "it is the same");
}

}  // namespace margay::fuzz
