#pragma once

// What each handle holds, block by block (IPAMHandle). A handle's record says at least as much as
// its blocks: it is counted up before a block is written, and down after; so whatever is held can
// be found by its handle, whenever a program dies.

#include <optional>
#include <string>
#include <string_view>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"
#include "ipam/records.h"

namespace margay::ipam {

class Handles {
 public:
  explicit Handles(store::Store& store);

  base::Result<std::optional<Record<api::IPAMHandle>>> find(std::string_view handle_id) const;
  base::Result<std::vector<Record<api::IPAMHandle>>> list() const { return records_.list(); }

  // Adds `change` to the count for `block`, and makes it `least` at least. Always writes, so that
  // a release that read the record before must read again.
  base::Result<> count(std::string_view handle_id, const base::Prefix& block, int64_t change,
                       int64_t least) const;
  // Sets the count in a record as it was read (none: there was no record); a record that counts
  // nothing any more goes. Fails with a lost race when the record has changed since.
  base::Result<> set(std::string_view handle_id, std::optional<Record<api::IPAMHandle>> record,
                     const base::Prefix& block, int64_t count) const;

 private:
  Records<api::IPAMHandle> records_;
};

}  // namespace margay::ipam
