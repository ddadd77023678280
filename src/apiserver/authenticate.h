#pragma once

// Who asks, where no front proxy says it (front_proxy.h): a client certificate signed by the
// server's authority (user = CN, groups = O), else a bearer token. What authenticates may do
// everything for now: standalone authorisation by Role and ClusterRole is a later step
// (docs/guide/apiserver.md).

#include <chrono>
#include <optional>
#include <string_view>

#include "apiserver/http_message.h"
#include "apiserver/status.h"
#include "apiserver/tokens.h"

struct ssl_st;

namespace margay::apiserver {

// Who a client certificate says the client is, for as long as it is valid: a connection may be open
// for longer.
struct CertificateUser {
  User user;
  std::chrono::system_clock::time_point valid_until;
};

// The user of a verified client certificate. A certificate that did not verify is none: OpenSSL is
// told to let it pass, so that its bearer gets a 401 instead of a broken connection.
std::optional<CertificateUser> certificate_user(ssl_st* tls);

// `authorization`: the header's value, may be empty. Nobody: anonymous. A token that is not known
// is a 401 even where anonymous users may read.
// Judged on the request's headers: nothing of a body is read for a client that is not known.
Answer<std::optional<User>> authenticate(const std::optional<CertificateUser>& certificate,
                                         std::string_view authorization, TokenFile& tokens);

// Who asks when nobody says who asks.
User anonymous();
// The user with the group of all who are known, system:authenticated.
User as_authenticated(User user);

}  // namespace margay::apiserver
