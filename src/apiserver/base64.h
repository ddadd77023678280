#pragma once

// Base64 (RFC 4648, section 4), as Secrets and kubeconfigs carry bytes.

#include <string>
#include <string_view>

namespace margay::apiserver {

std::string base64(std::string_view bytes);

}  // namespace margay::apiserver
