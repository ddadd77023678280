#pragma once

// Parameters of a request's query, each type read in one way. A value that is no such type is a 400
// that names the parameter.

#include <cstdint>
#include <optional>
#include <string_view>

#include "apiserver/http_message.h"
#include "apiserver/status.h"

namespace margay::apiserver {

// Empty when it is not there.
std::string_view text_in(const Query& query, std::string_view name);
// As Kubernetes reads booleans in queries: all but "0" and "false", in any case, is true.
bool flag_in(const Query& query, std::string_view name);
// Nothing when it is not there, or empty.
Answer<std::optional<int64_t>> integer_in(const Query& query, std::string_view name,
                                          int64_t least = INT64_MIN);
// dryRun, whose only value is "All".
Answer<bool> dry_run_in(const Query& query);

}  // namespace margay::apiserver
