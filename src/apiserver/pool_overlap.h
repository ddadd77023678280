#pragma once

// IP pools may not overlap: an address must belong to one pool (Calico's IPPool reference,
// spec.cidr).

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "apiserver/parsing_room.h"
#include "base/address.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::apiserver {

// What is known of a store's pools. They are all read once; from then on what others do, another
// server of the store too, is read as the changes since: a small request costs no look at all
// pools. One thread at a time. Calls block on the store, and wait for room to parse in.
class KnownPools {
 public:
  // Both outlive it.
  KnownPools(store::Store& store, ParsingRoom& room) : store_(store), room_(room) {}

  // `invalid`, naming spec.cidr and the other pool, when the pool `name` (defaulted and valid)
  // overlaps a stored one of another name; `forbidden` when there are as many as may be. A pool's
  // CIDR never changes, so only creations need it: before the write, and again after it, for what
  // another server of the store wrote in between.
  base::Result<> check(std::string_view name, const boost::json::object& pool);

 private:
  base::Result<> catch_up();
  base::Result<> follow();
  base::Result<> read_all();
  void put(const store::Entry& entry);

  store::Store& store_;
  ParsingRoom& room_;
  // By name; nothing of one that cannot be read: nobody takes addresses from it.
  std::map<std::string, std::optional<base::Prefix>, std::less<>> pools_;
  store::Revision position_ = 0;  // known up to here; 0: nothing is
};

}  // namespace margay::apiserver
