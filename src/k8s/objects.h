#pragma once

// Stored objects as changes of the policy model: what the agent makes of a watch, and what
// `margay ctl` makes of files.

#include <boost/json/fwd.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

// What one object says, whatever else there is.
struct Reading {
  std::optional<policy::ModelChange> change;  // none: it has no place in the model
  Warnings warnings;
  // Of a Kubernetes NetworkPolicy: where its rules come from.
  std::optional<RuleOrigins> origins;
};

// Pure functions, for any thread. `invalid`, naming the fields, when the object cannot be read.
// Objects of other resources have no place.
base::Result<Reading> read_object(const store::Key& key, const boost::json::value& object);
base::Result<Reading> read_object(const store::Key& key, std::string_view text);

// Remembers which key of the model each object has, so that an object that goes, or whose key
// changes (a pod that was made again on another node), takes the old one with it. An object that
// cannot be read is not told here: it stays what it was.
// Not thread-safe.
class Converter {
 public:
  using Changes = std::vector<policy::ModelChange>;

  // An object is there, and says this.
  Changes set(const store::Key& key, Reading reading);
  // An object is gone. One that was never there changes nothing.
  Changes remove(const store::Key& key);

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
  Changes settle(const store::Key& key, std::optional<policy::ModelChange> change);

  std::map<store::Key, ModelKey> placed_;
};

}  // namespace margay::k8s
