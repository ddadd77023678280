#pragma once

// Stored objects as values of the policy model, one by one.

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "k8s/convert.h"
#include "policy/model.h"
#include "store/store.h"

namespace margay::k8s {

// The resources that policy and routing are made of, as api::Kind::resource() names them.
std::vector<std::string> resources();
// Those beside them that Calico v3.19's API does not have: a cluster may be without, and its role
// for node agents does not grant them.
std::vector<std::string> later_resources();
// Of staged policies, which no agent asks for.
std::vector<std::string> staged_resources();
// Those of services, for data planes that balance.
std::vector<std::string> service_resources();
// What is in every model, whatever the objects.
std::vector<policy::ModelChange> built_in();

// What one object says, whatever else there is.
struct Reading {
  std::optional<policy::ModelChange> change;  // none: it has no place in the model
  Warnings warnings;
  // Of a Kubernetes NetworkPolicy: where its rules come from.
  std::optional<RuleOrigins> origins;
  // Of a pod: nobody but its annotations says its addresses (k8s/address_claims.h).
  bool addresses_only_claimed = false;
  // Of a block of addresses: which pods IPAM gave them to.
  std::vector<AddressGrant> grants;
};

// Pure functions, for any thread. `invalid`, naming the fields, when the object cannot be read.
// Objects of other resources have no place.
base::Result<Reading> read_object(const store::Key& key, const boost::json::value& object);
base::Result<Reading> read_object(const store::Key& key, std::string_view text);

// What stands for a policy of which nothing is known but that it is there: one that isolates all it
// may be for (its namespace's endpoints, or all) in both directions and allows nothing, so that
// what it isolated does not become open. It is in the tier that its name says, and denies by a rule
// where that is not `default`, since the tier may pass. None for other objects.
// (docs/decisions/0062-what-an-unreadable-policy-means.md)
std::optional<Reading> isolating(const store::Key& key);
bool is_policy(const store::Key& key);

}  // namespace margay::k8s
