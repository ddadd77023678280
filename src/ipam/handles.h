#pragma once

// What each handle holds, block by block (IPAMHandle). A handle's record says at least as much as
// its blocks: it is counted up before a block is written, and down after; so whatever is held can
// be found by its handle, whenever a program dies.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"
#include "ipam/records.h"

namespace margay::ipam {

class Handles {
 public:
  using Handle = Record<api::IPAMHandle>;

  explicit Handles(store::Store& store);

  // Its record; of revision 0 when there is none: then it is the one to create.
  base::Result<Handle> read(std::string_view handle_id) const;
  const Records<api::IPAMHandle>& records() const { return records_; }

  static int64_t count(const Handle& handle, const base::Prefix& block);
  // The write that sets the count in a record as it was read; a record that counts nothing any
  // more goes. Nothing when there is nothing to write: no record, and nothing to count. All else is
  // written even when it says what it said, so that whoever read the record before must read again.
  std::optional<store::Write> set_count(Handle handle, const base::Prefix& block,
                                        int64_t count) const;

 private:
  Records<api::IPAMHandle> records_;
};

}  // namespace margay::ipam
