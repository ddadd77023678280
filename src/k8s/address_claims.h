#pragma once

// Addresses that nobody but a pod's own annotations says: the CNI plugin writes them before the
// kubelet has said them in the status, but whoever makes the pod may write them too, and would have
// what is another's. They count once IPAM says the same: the block that the address is in gives it
// to this pod. Of those of other IPAM plugins, whose word is not in the datastore, the status is
// waited for (docs/decisions/0061).
//
// What a pod has depends on which objects there are, never on their order. Not thread-safe.

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret_hash.h"
#include "k8s/objects.h"
#include "policy/model.h"
#include "store/store.h"

namespace margay::k8s {

class AddressClaims {
 public:
  // An object is there. From the endpoint of a pod it takes what the pod only claims to have.
  void set(const store::Key& object, Reading& reading);
  void remove_pod(const store::Key& object);
  void remove_block(const store::Key& object, const policy::Prefix& cidr);

  // Endpoints of pods whose claims the blocks that came, changed or went since the last call may
  // decide otherwise.
  std::vector<std::pair<store::Key, policy::ModelChange>> take_reviewed();

 private:
  bool is_granted(const policy::IPAddress& address, std::string_view workload) const;
  // The change without the addresses that are not granted.
  policy::ModelChange without_claims(policy::ModelChange change) const;
  uint64_t grant(const policy::IPAddress& address, std::string_view workload) const;

  // Hundreds of thousands of addresses: of each a number that only this process can work out, so
  // that nobody can choose names with the same.
  const base::SecretHash hash_;
  // By block and object; in order. Of several objects of one block the lowest speaks, as it does in
  // the model.
  std::map<policy::Prefix, std::map<store::Key, std::vector<uint64_t>>> grants_;
  std::map<store::Key, policy::ModelChange> waiting_;  // pods that claim, with all they claim
  std::set<std::pair<policy::IPAddress, store::Key>> by_address_;  // the same, by what they claim
  std::vector<policy::Prefix> changed_;                            // blocks
};

}  // namespace margay::k8s
