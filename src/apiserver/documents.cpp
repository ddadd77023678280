#include "apiserver/documents.h"

#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "api/openapi.h"
#include "apiserver/negotiate.h"
#include "apiserver/openapi_protobuf.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_index_path = "/openapi/v3";

constexpr std::string_view k_protobuf_v2 =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

// Older clients ask by a name that is no valid media type (and choke on an answer that has it).
bool is_protobuf_v2(const std::string& type) {
  return type == k_protobuf_v2 ||
         type == "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
}

bool is_json(const std::string& type) {
  return type == "application/json" || type == "application/*" || type == "*/*";
}

// The document in the first form the client names that there is; JSON if it names none.
Response choose(std::string_view accept, const std::string& as_json,
                const std::string* as_protobuf) {
  for (const auto& range : parse_accept(accept)) {
    if (is_json(range.type)) break;
    if (as_protobuf != nullptr && is_protobuf_v2(range.type))
      return {.content_type = std::string(k_protobuf_v2),
              .headers = {{"Vary", "Accept"}},
              .body = *as_protobuf};
  }
  return {.headers = {{"Vary", "Accept"}}, .body = as_json};
}

}  // namespace

Documents::Documents() {
  const auto v2 = api::openapi_v2();
  v2_json_ = boost::json::serialize(v2);
  v2_protobuf_ = to_openapi_protobuf(v2);
  v3_index_ = boost::json::serialize(api::openapi_v3_index());
  for (const auto& path : api::openapi_v3_paths()) {
    const auto document = api::openapi_v3(path);
    if (!document) throw std::logic_error(document.error().message);
    v3_.emplace(path, boost::json::serialize(*document));
  }
}

std::optional<Response> Documents::find(std::string_view path, std::string_view accept) const {
  if (path == "/openapi/v2") return choose(accept, v2_json_, &v2_protobuf_);
  if (path == k_index_path) return choose(accept, v3_index_, nullptr);
  if (!path.starts_with(k_index_path)) return std::nullopt;
  const auto found = v3_.find(path.substr(k_index_path.size() + 1));
  if (found == v3_.end()) return std::nullopt;
  return choose(accept, found->second, nullptr);
}

}  // namespace margay::apiserver
