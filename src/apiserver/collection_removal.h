#pragma once

// A `deletecollection`, done in steps so that one of half a million objects keeps nobody from being
// answered, and the server from stopping, for longer than a step.

#include <string>
#include <vector>

#include "apiserver/byte_budget.h"
#include "apiserver/list_options.h"
#include "apiserver/parsing_room.h"
#include "apiserver/reads.h"
#include "apiserver/representation.h"
#include "apiserver/writes.h"
#include "store/store.h"

namespace margay::apiserver {

class CollectionRemoval {
 public:
  // What it works with, which outlives it.
  struct Services {
    Reads reads;
    Writes& writes;
    ParsingRoom& room;
    ByteBudget& telling;  // what all of them hold for their answers
  };
  struct Asked {
    ObjectRef collection;
    ListOptions selection;
    DeleteOptions options;
    Representation representation;
  };
  CollectionRemoval(const Services& services, Asked asked);

  // Removes some more. Blocks on the store; one thread at a time. Where the server is busy it is
  // refused as long as nothing is gone; then it waits for its turn. After another refusal
  // what went before it is gone. Where history is compacted past what it began with, it goes on
  // with what there is then: a client that was refused with a part removed would not ask again.
  Answer<> step();
  bool is_done() const { return done_; }
  // What went, as in Kubernetes, while it is of a size to hold; else only that it went.
  Response answer() const;

 private:
  Answer<> remove(const store::Entry& entry);
  Answer<bool> is_selected(const store::Entry& entry);
  void tell(const store::Entry& entry);
  bool has_room_for(size_t bytes);

  const Services services_;
  const Asked asked_;
  size_t left_;  // of the limit; 0: no limit
  Representation::ListMeta meta_;
  std::string items_;
  std::vector<ByteBudget::Lease> leases_;  // for what items_ has room for
  size_t leased_ = 0;
  bool is_too_much_ = false;  // to be told one by one
  bool is_begun_ = false;     // something is gone
  bool done_ = false;
};

}  // namespace margay::apiserver
