#pragma once

// What holds of tiers and the policies in them: three tiers always exist, a policy is made only in
// a tier that does, and a tier goes only when no policy is in it (Calico v3.29's Tier reference).
//
// What a policy is in is told by its name (api::calico::tier_of_name()), so that a tier's removal
// reads no policies. Of a policy's creation and its tier's removal through one server each sees the
// other, since they take turns. Of those through two servers the creation looks again
// after its write, and gives way; a tier that goes just behind that look leaves the policy in a
// tier that is not there. Such a tier comes last and denies (docs/policy.md, "Order").

#include <boost/json/object.hpp>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include "apiserver/parsing_room.h"
#include "apiserver/read_once.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

class Writes;

bool is_tier(const api::Kind& kind);
bool is_in_tier(const api::Kind& kind);  // its objects are policies, each in a tier

// Makes the tiers that always exist, where they are missing; where none is, it writes nothing. They
// hold all the same: without one nobody but who lists them misses anything.
Answer<> restore_tiers(store::Store& store, Writes& writes);

// Safe from any thread. Calls block on the store.
class Tiers {
 public:
  // Both outlive it.
  Tiers(store::Store& store, ParsingRoom& room) : store_(store), room_(room) {}

  // While one creates a policy in a tier that can go, no tier goes; while a tier goes, no such
  // policy is created. Those who create need no turn among themselves. Whoever asks for one holds
  // no place in the room: who has it may wait for one.
  using TurnToRemove = std::unique_lock<std::shared_mutex>;
  using TurnToCreate = std::shared_lock<std::shared_mutex>;
  TurnToRemove turn_to_remove();
  // To create the policy; nobody's where its tier always exists.
  TurnToCreate turn_to_create(const boost::json::object& policy);

  // The tier that a policy says it is in: 404, naming it, when there is none. Objects that are in
  // no tier, or in one that always exists, may be made.
  Answer<> check_exists(const boost::json::object& policy);

  // 403 when a policy, staged or not, is in the tier, or when it always exists.
  Answer<> check_unused(std::string_view name);

 private:
  store::Store& store_;
  ParsingRoom& room_;
  ReadOnce<bool> known_to_go_;  // whether a tier is being deleted
  std::shared_mutex turn_;
  // Whoever waits for a turn to remove holds it: who comes later to create waits behind him.
  std::mutex gate_;
};

}  // namespace margay::apiserver
