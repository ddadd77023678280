#pragma once

// Stored objects as changes of the policy model: what the agent makes of a watch, and what
// `margay ctl` makes of files.

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "k8s/objects.h"
#include "policy/model.h"
#include "store/store.h"

namespace margay::k8s {

// Remembers which key of the model each object has, so that an object that goes, or whose key
// changes (a pod that was made again on another node), takes the old one with it. An object that
// cannot be read is not told here: it stays what it was.
//
// Several objects may claim one key: the policies `web` and `default.web`, a policy named
// knp.default.web and a Kubernetes policy `web`, a WorkloadEndpoint and its pod. Whatever the order
// in which they come, the one that the key is named for has it (`web`, the Kubernetes policy, the
// pod), else the lowest of them; when that one goes, the next comes to light. What the others say
// is kept for that; they are rare. Not thread-safe.
class Converter {
 public:
  using Changes = std::vector<policy::ModelChange>;

  // An object is there, and says this.
  Changes set(const store::Key& key, Reading reading);
  // An object is gone. One that was never there changes nothing.
  Changes remove(const store::Key& key);

  // The object that has the key of the model that this one claims too; null when it is this one, or
  // this one claims none. Until the next change.
  const store::Key* shadowed_by(const store::Key& key) const;

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

  // What objects say that the key is not named for, by object.
  using Claims = std::map<store::Key, policy::ModelChange>;

  // The object that a key of the model is named for; nothing when it is named for none.
  static std::optional<store::Key> namesake(const ModelKey& key);
  // Who has the key: its namesake when that is there, else the lowest of `claims`.
  const store::Key* owner_of(const ModelKey& key) const;

  std::map<store::Key, ModelKey> placed_;  // which key each object claims
  std::map<ModelKey, Claims> claims_;
};

}  // namespace margay::k8s
