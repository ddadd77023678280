#pragma once

// Stored objects as changes of the policy model: what the agent makes of a watch, and what
// `margay ctl` makes of files.

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/symbol_table.h"
#include "k8s/address_claims.h"
#include "k8s/namesake.h"
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
// is kept for that; they are rare.
//
// Addresses that a pod only claims to have are no part of a change until IPAM says them too
// (k8s/address_claims.h). Not thread-safe.
class Converter {
 public:
  using Changes = std::vector<policy::ModelChange>;

  // An object is there, and says this.
  Changes set(const store::Key& key, Reading reading);
  // An object is gone. One that was never there changes nothing.
  Changes remove(const store::Key& key);

  // The object that has the key of the model that this one claims too; nothing when it is this one,
  // or this one claims none.
  std::optional<store::Key> shadowed_by(const store::Key& key) const;

 private:
  // The objects of one resource, by the symbols of their names. Hundreds of thousands: all but a
  // few claim the key that is named for them, of which only the qualifier is kept.
  struct Placed {
    base::SymbolTable names;               // "<namespace>/<name>"
    std::vector<base::Symbol> qualifiers;  // by name; k_stranger: see strangers_
  };
  static constexpr base::Symbol k_stranger = std::numeric_limits<base::Symbol>::max();
  // What objects say that the key is not named for, by object.
  using Claims = std::map<store::Key, policy::ModelChange>;

  // What set and remove do to one object, whatever others claim of addresses.
  Changes replace(const store::Key& object, policy::ModelChange change);
  Changes take_out(const store::Key& object, const ModelKey& key);
  void review_claims(Changes& changes);
  void place(const store::Key& object, const policy::ModelChange& change);
  void unplace(const store::Key& object, const ModelKey& key);
  // Which key an object claims.
  std::optional<ModelKey> place_of(const store::Key& object) const;
  // Who has the key: its namesake when that is there, else the lowest of its claims.
  std::optional<store::Key> owner_of(const ModelKey& key) const;

  std::map<std::string, Placed, std::less<>> placed_;  // by resource
  base::SymbolTable qualifiers_;                       // used once for each object
  std::map<store::Key, ModelKey> strangers_;           // the keys that they claim
  std::map<ModelKey, Claims> claims_;
  AddressClaims address_claims_;
};

}  // namespace margay::k8s
