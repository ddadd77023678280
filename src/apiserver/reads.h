#pragma once

// The verbs that read: one object, or a collection by selectors and pages.

#include <vector>

#include "apiserver/list_options.h"
#include "apiserver/representation.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

struct Listing {
  std::vector<store::Entry> entries;
  Representation::ListMeta meta;
};

// A page may have fewer objects than the limit when a filter left some out; `meta.resume` alone
// says whether there are more. Pages of one snapshot share its revision; a page whose snapshot is
// gone is a 410.
Answer<Listing> list_objects(store::Store& store, const api::Kind& kind,
                             const ListOptions& options);

}  // namespace margay::apiserver
