#include "apiserver/request_head.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

#include "apiserver/negotiate.h"

namespace margay::apiserver {

namespace beast = boost::beast;
namespace http = boost::beast::http;

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
    case http::verb::head:  // as GET, with an answer that has no body
      return Method::get;
    case http::verb::post:
      return Method::post;
    case http::verb::put:
      return Method::put;
    case http::verb::patch:
      return Method::patch;
    case http::verb::delete_:
      return Method::remove;
    default:
      return Method::other;
  }
}

std::optional<Status> check_body_headers(const RequestHead& head) {
  const auto codings = head.count(http::field::transfer_encoding);
  const bool plain_chunks = codings == 1 && head.version() >= 11 &&
                            beast::iequals(head[http::field::transfer_encoding], "chunked");
  if (codings > 0 && !plain_chunks)
    return bad_request("the only Transfer-Encoding that is understood is chunked, of HTTP/1.1");
  const auto content_coding = head[http::field::content_encoding];
  if (!content_coding.empty() && !beast::iequals(content_coding, "identity"))
    return unsupported_media_type("Content-Encoding: " + std::string(content_coding), "identity");
  return std::nullopt;
}

bool is_yaml(const RequestHead& head) {
  const auto type = body_type(head[http::field::content_type]);
  return type && *type == BodyType::yaml;
}

bool asks_to_impersonate(const RequestHead& head) {
  constexpr std::string_view k_prefix = "Impersonate-";
  return std::ranges::any_of(head, [&](const auto& field) {
    const std::string_view name(field.name_string());
    return name.size() >= k_prefix.size() &&
           beast::iequals(name.substr(0, k_prefix.size()), k_prefix);
  });
}

}  // namespace margay::apiserver
