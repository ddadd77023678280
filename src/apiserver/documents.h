#pragma once

// The documents made once at start: OpenAPI v2 (JSON and protobuf) and v3.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "apiserver/http_message.h"

namespace margay::apiserver {

class Documents {
 public:
  // From api::kinds().
  Documents();

  // The answer to a GET of /openapi/v2, /openapi/v3 or /openapi/v3/<group version>; nothing for
  // other paths.
  std::optional<Response> find(std::string_view path, std::string_view accept) const;

 private:
  std::string v2_json_;
  std::string v2_protobuf_;
  std::string v3_index_;
  std::map<std::string, std::string, std::less<>> v3_;  // "api/v1", "apis/projectcalico.org/v3"
};

}  // namespace margay::apiserver
