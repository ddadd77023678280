#pragma once

// What a request asks for, in the words that authorizers, audit logs and metrics share: Kubernetes'
// request attributes (https://kubernetes.io/docs/reference/access-authn-authz/authorization/
// #review-your-request-attributes).

#include <string>

#include "apiserver/http_message.h"
#include "apiserver/path.h"

namespace margay::apiserver {

struct Attributes {
  // Of a resource: get, list, watch, create, update, patch, delete or deletecollection; of any
  // other path the HTTP method in lower case.
  std::string verb;
  std::string path;  // decoded
  bool is_resource = false;
  // The rest is of resources; whether this server has them is not asked here.
  std::string api_group = {};
  std::string api_version = {};
  std::string resource = {};
  std::string subresource = {};
  // Empty: the cluster. Of a namespace itself: its own name, as in Kubernetes.
  std::string ns = {};
  std::string name = {};
};

Attributes attributes_of(Method method, const Target& target);

}  // namespace margay::apiserver
