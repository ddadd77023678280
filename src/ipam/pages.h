#pragma once

// Reads all objects of a resource a page at a time, so that memory goes with what is kept of them
// and not with what they are.

#include <string>

#include "base/result.h"
#include "store/store.h"

namespace margay::ipam {

// Calls `visit(const store::Entry&)`, which returns a Result<>, for each object of one snapshot. An
// error, of the store or of a visit, ends it: what was visited until then is not all there is.
template <typename Visit>
base::Result<> for_each_entry(store::Store& store, const store::Scope& scope, Visit&& visit) {
  store::ListOptions page{.limit = 500};
  do {
    auto list = store.list(scope, page);
    if (!list) return base::fail(std::move(list).error().wrap(scope.resource));
    for (const auto& entry : list->entries) MARGAY_CHECK(visit(entry));
    page.resume = std::move(list->resume);
  } while (!page.resume.empty());
  return {};
}

}  // namespace margay::ipam
