#pragma once

// Base64 (RFC 4648, section 4), as Secrets and kubeconfigs carry bytes.

#include <optional>
#include <string>
#include <string_view>

namespace margay::apiserver {

std::string base64(std::string_view bytes);
// Line ends in it are skipped. Nothing when it is no base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace margay::apiserver
