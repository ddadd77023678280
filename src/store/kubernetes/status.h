#pragma once

// Kubernetes' error answers (apimachinery meta/v1 Status) as base::Error.

#include <boost/json/object.hpp>

#include "base/result.h"
#include "store/kubernetes/https_client.h"

namespace margay::store::kubernetes {

// By reason where there is one, else by HTTP status; the causes become field errors.
base::Error to_error(const boost::json::object& status, unsigned http_status);
// The same for a whole response, whose body may be no Status at all (a proxy's page).
base::Error to_error(const HttpsResponse& response);

}  // namespace margay::store::kubernetes
