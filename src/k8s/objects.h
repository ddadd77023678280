#pragma once

// Stored objects as changes of the policy model: what the agent makes of a watch, and what
// `margay ctl` makes of files.

#include <boost/json/fwd.hpp>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "k8s/convert.h"
#include "policy/model.h"
#include "store/store.h"

namespace margay::k8s {

// The resources that have a place in the model, as api::Kind::resource() names them.
std::vector<std::string> resources();
// What is in every model, whatever the objects.
std::vector<policy::ModelChange> built_in();

struct Conversion {
  std::vector<policy::ModelChange> changes;
  Warnings warnings;
  // Of a Kubernetes NetworkPolicy: where its rules come from.
  std::optional<RuleOrigins> origins;
};

// Remembers which key of the model each object has, so that an object that goes, or whose key
// changes (a pod that was made again on another node), takes the old one with it.
// Not thread-safe.
class Converter {
 public:
  // An object is there, with this value. `invalid`, naming the fields, when it cannot be read: then
  // nothing changes, here or in the model. Objects of other resources change nothing.
  base::Result<Conversion> set(const store::Key& key, const boost::json::value& object);
  // An object is gone. One that was never there changes nothing.
  Conversion remove(const store::Key& key);
  // Either, as the store tells it.
  base::Result<Conversion> convert(const store::Key& key, const std::optional<store::Entry>& entry);

 private:
  template <typename>
  struct KeysOf;
  template <typename... Changes>
  struct KeysOf<std::variant<Changes...>> {
    using Type = std::variant<decltype(Changes::key)...>;
  };
  // The alternatives are those of ModelChange, in its order.
  using ModelKey = KeysOf<policy::ModelChange>::Type;

  static ModelKey key_of(const policy::ModelChange& change);
  static policy::ModelChange removal_of(const ModelKey& key);

  // Moves the object's place in the model to that of `change`.
  void settle(const store::Key& key, std::optional<policy::ModelChange> change,
              Conversion& conversion);

  std::map<store::Key, ModelKey> placed_;
};

}  // namespace margay::k8s
