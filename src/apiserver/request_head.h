#pragma once

// What the head of an HTTP request says, and whether it may be obeyed.

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/verb.hpp>
#include <optional>

#include "apiserver/http_message.h"
#include "apiserver/status.h"

namespace margay::apiserver {

using RequestHead = boost::beast::http::request_header<>;

Method method_of(boost::beast::http::verb verb);

// What says how a body is to be read must leave no doubt: whoever stands between reads it too, and
// two that differ take one's request for another's (RFC 9112, 6.1). What to answer if it does.
std::optional<Status> check_body_headers(const RequestHead& head);

// Whether the body is said to be YAML.
bool is_yaml(const RequestHead& head);

// Who wants to act as another, with fewer rights, must not act as himself.
bool asks_to_impersonate(const RequestHead& head);

}  // namespace margay::apiserver
