#pragma once

// Whether who asks may have what is asked for. Every request passes here once it is known who asks,
// and before anything else is looked at, so that a refusal tells nothing of what exists. Safe from
// any thread.

#include <string>
#include <string_view>
#include <vector>

#include "apiserver/attributes.h"
#include "apiserver/http_message.h"
#include "apiserver/status.h"

namespace margay::apiserver {

struct Decision {
  bool allowed = false;
  std::string reason = {};  // for people; may be empty
};

// What a user may do, as far as the authorizer can list it (SelfSubjectRulesReview). "*" stands for
// everything.
struct ResourceRule {
  std::vector<std::string> verbs;
  std::vector<std::string> api_groups;
  std::vector<std::string> resources;   // "pods", "pods/status"
  std::vector<std::string> names = {};  // empty: all
};
struct PathRule {
  std::vector<std::string> verbs;
  std::vector<std::string> paths;  // a final * matches any rest
};
struct Rules {
  std::vector<ResourceRule> resources;
  std::vector<PathRule> paths;
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Decision authorize(const User& user, const Attributes& attributes) const = 0;
  virtual Rules rules(const User& user, std::string_view ns) const = 0;
};

// Whoever is known may do everything.
class AllowAll final : public Authorizer {
 public:
  Decision authorize(const User& user, const Attributes& attributes) const override;
  Rules rules(const User& user, std::string_view ns) const override;
};

// The 403 of a request that is not allowed, in Kubernetes' words.
Status denied(const User& user, const Attributes& attributes, std::string_view reason);

}  // namespace margay::apiserver
