#include "apiserver/body.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "apiserver/negotiate.h"
#include "apiserver/protobuf_body.h"

namespace margay::apiserver {
namespace {

base::Result<json::value> parse_one(std::string_view text, BodyType type) {
  if (type == BodyType::json) return api::parse_json(text);
  MARGAY_TRY(auto documents, api::parse_yaml(text));
  if (documents.size() != 1)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("expected one document, found {}", documents.size()));
  return std::move(documents.front());
}

Answer<> check_size(const json::value& object) {
  if (api::has_few_values(object)) return {};
  return refuse(bad_request(
      fmt::format("the body has more than {} values and keys", api::k_max_object_values)));
}

}  // namespace

Answer<json::object> parse_body(const Request& request) {
  MARGAY_TRY(const auto type, body_type(request.content_type));
  if (type == BodyType::protobuf) {
    MARGAY_TRY(json::value object, parse_protobuf(request.body));
    MARGAY_CHECK(check_size(object));
    return std::move(object.as_object());
  }
  auto value = parse_one(request.body, type);
  if (!value)
    return refuse(bad_request("the body of the request does not parse: " + value.error().message));
  if (!value->is_object()) return refuse(bad_request("the body of the request is not an object"));
  if (type != BodyType::json) MARGAY_CHECK(check_size(*value));  // whose parser has seen to it
  return std::move(value->as_object());
}

Answer<json::value> parse_patch(std::string_view text) {
  auto value = api::parse_json(text);
  if (!value) return refuse(bad_request("the patch does not parse: " + value.error().message));
  return std::move(*value);
}

}  // namespace margay::apiserver
