#pragma once

// `calicoctl validate`: what is wrong with manifests, without a datastore.

#include <string>

#include "ctl/resource_commands.h"

namespace margay::ctl {

struct ValidateArguments {
  std::string file;
  bool recursive = false;
  std::string output = "text";  // text or json
};

// Every object of every file is looked at, each on its own: kinds of Calico and of Kubernetes. As
// JSON a list of {"file", "object", "valid", "errors": [{"path", "value", "message"}]}, the object
// as "NetworkPolicy/shop/web"; a document that cannot be read has no object. Fails when one is
// wrong, or when there is none.
Outcome validate_manifests(const ValidateArguments& arguments);

}  // namespace margay::ctl
