#pragma once

// The verbs that read: one object, or a collection by selectors and pages.

#include <vector>

#include "apiserver/list_options.h"
#include "apiserver/representation.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

// The next page of a list that a client asked for, `page.limit` and `page.bytes` of it. Checks the
// revision that the client wants; a page whose snapshot is gone is a 410.
Answer<store::List> read_list_page(store::Store& store, const api::Kind& kind,
                                   const ListOptions& options, const std::string& resume,
                                   store::ListOptions page);

bool matches(const Filter& filter, const store::Entry& entry);

struct Listing {
  std::vector<store::Entry> entries;
  Representation::ListMeta meta;
};

// The whole list. A page may have fewer objects than the limit when a filter left some out;
// `meta.resume` alone says whether there are more.
Answer<Listing> list_objects(store::Store& store, const api::Kind& kind,
                             const ListOptions& options);

}  // namespace margay::apiserver
