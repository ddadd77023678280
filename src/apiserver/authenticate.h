#pragma once

// Who asks: a client certificate signed by the server's authority (user = CN, groups = O), else a
// bearer token. What authenticates may do everything for now: standalone authorisation by Role and
// ClusterRole is a later step (docs/guide/apiserver.md).

#include <optional>
#include <string_view>

#include "apiserver/http_message.h"
#include "apiserver/status.h"
#include "apiserver/tokens.h"

struct ssl_st;

namespace margay::apiserver {

// The user of a verified client certificate. A certificate that did not verify is none: OpenSSL is
// told to let it pass, so that its bearer gets a 401 instead of a broken connection.
std::optional<User> certificate_user(ssl_st* tls);

// `authorization`: the header's value, may be empty. Nobody: anonymous. A token that is not known
// is a 401 even where anonymous users may read.
Answer<std::optional<User>> authenticate(const std::optional<User>& certificate,
                                         std::string_view authorization, TokenFile& tokens);

}  // namespace margay::apiserver
