#pragma once

// The objects of projectcalico.org/v3 in a store, as calicoctl lists, reads and writes them: with
// those that stand for objects of Kubernetes (derived.h), and with its errors.
//
// An object that is in the store under the name of a derived one is shown instead of it. A derived
// object is not written: whoever changes a derived Node makes a Node of its own.
//
// Errors have the store's codes and calicoctl's words: "resource does not exist: IPPool(a) with
// error: ...". Calls block.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "base/result.h"
#include "ctl/resource_type.h"
#include "store/store.h"

namespace margay::ctl {

struct ObjectList {
  json::array items;  // objects, with metadata.resourceVersion
  std::string revision;
};

class Objects {
 public:
  explicit Objects(store::Store& store) : store_(store) {}  // which outlives this

  // `ns`: empty for all. An object that cannot be read is an error.
  base::Result<ObjectList> list(const ResourceType& type, const std::string& ns);
  base::Result<json::object> get(const ResourceType& type, const std::string& ns,
                                 const std::string& name);

  // Validated first, so that all that is wrong is told the same way whatever the store. The object
  // has a name and, where it belongs in one, a namespace.
  base::Result<> create(const ResourceType& type, const json::object& object);
  // metadata.resourceVersion, where there is one, must be the stored one's: else `conflict`.
  // Metadata but labels and annotations stay as they are.
  base::Result<> replace(const ResourceType& type, const json::object& object);
  // Creates it, or replaces the one that is there.
  base::Result<> apply(const ResourceType& type, const json::object& object);
  // A strategic merge patch.
  base::Result<> patch(const ResourceType& type, const std::string& ns, const std::string& name,
                       const json::value& patch);
  base::Result<> remove(const ResourceType& type, const std::string& ns, const std::string& name,
                        const std::string& revision);

 private:
  base::Result<json::object> stored(const ResourceType& type, const std::string& ns,
                                    const std::string& name);
  base::Result<json::object> derived(const ResourceType& type, const std::string& ns,
                                     const std::string& name);
  base::Result<json::array> all_derived(const ResourceType& type, const std::string& ns);
  base::Result<json::object> kubernetes_object(const store::Key& key);
  base::Result<std::vector<json::object>> kubernetes_objects(const store::Scope& scope);
  base::Result<> write(const ResourceType& type, const json::object& current,
                       const json::object& object);

  store::Store& store_;
};

// The same error in calicoctl's words.
base::Error told(base::Error error, const ResourceType& type, const std::string& ns,
                 const std::string& name);

}  // namespace margay::ctl
