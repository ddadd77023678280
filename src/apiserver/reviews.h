#pragma once

// The kinds that are asked and not kept: a client creates one and gets it back with its answer. Who
// am I (SelfSubjectReview), may I (SelfSubjectAccessReview), what may I (SelfSubjectRulesReview);
// `kubectl auth` asks them. https://kubernetes.io/docs/reference/access-authn-authz/authorization/
// #checking-api-access

#include <boost/json/object.hpp>
#include <span>

#include "api/kind.h"
#include "apiserver/authorizer.h"
#include "apiserver/path.h"
#include "apiserver/status.h"

namespace margay::apiserver {

// Without schema: no more is read of them than is asked.
std::span<const api::Kind> review_kinds();
const api::Kind* find_review(const ResourcePath& path);

// The review with its status. What does not say what it asks is a 400 or 422.
Answer<json::object> answer_review(const api::Kind& kind, json::object review, const User& user,
                                   const Authorizer& authorizer);

}  // namespace margay::apiserver
