#pragma once

// The verbs that read: one object, or a collection by selectors and pages.

#include "apiserver/list_options.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

// The next page of a list that a client asked for, `page.limit` and `page.bytes` of it. Checks the
// revision that the client wants; a page whose snapshot is gone is a 410.
Answer<store::List> read_list_page(store::Store& store, const api::Kind& kind,
                                   const ListOptions& options, const std::string& resume,
                                   store::ListOptions page);

bool matches(const Filter& filter, const store::Entry& entry);

}  // namespace margay::apiserver
