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

}  // namespace

Answer<json::object> parse_body(const Request& request) {
  MARGAY_TRY(const auto type, body_type(request.content_type));
  if (type == BodyType::protobuf) return parse_protobuf(request.body);
  auto value = parse_one(request.body, type);
  if (!value)
    return refuse(bad_request("the body of the request does not parse: " + value.error().message));
  if (!value->is_object()) return refuse(bad_request("the body of the request is not an object"));
  return std::move(value->as_object());
}

Answer<json::value> parse_patch(std::string_view text) {
  auto value = api::parse_json(text);
  if (!value) return refuse(bad_request("the patch does not parse: " + value.error().message));
  return std::move(*value);
}

}  // namespace margay::apiserver
