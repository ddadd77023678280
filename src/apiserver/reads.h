#pragma once

// The verbs that read: one object, or a collection by selectors and pages.

#include "apiserver/list_options.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

// What is read for a client, by whether its answer has begun. The same store, but that one which is
// busy refuses whoever begins.
struct Reads {
  store::Store& beginning;
  store::Store& begun;
  Reads(store::Store& both) : Reads(both, both) {}  // NOLINT(google-explicit-constructor)
  Reads(store::Store& first, store::Store& later) : beginning(first), begun(later) {}
  store::Store& at(bool is_begun) const { return is_begun ? begun : beginning; }
};

// The next page of a list that a client asked for, `page.limit` and `page.bytes` of it. Checks the
// revision that the client wants; a page whose snapshot is gone is a 410.
Answer<store::List> read_list_page(store::Store& store, const api::Kind& kind,
                                   const ListOptions& options, const std::string& resume,
                                   store::ListOptions page);

bool matches(const Filter& filter, const store::Entry& entry);

// Calls visit(const store::Entry&) -> Result<> for each object, page by page.
base::Result<> each_entry(store::Store& store, const store::Scope& scope, const auto& visit) {
  store::ListOptions options{.bytes = 256 << 10};
  while (true) {
    MARGAY_TRY(auto page, store.list(scope, options));
    for (const auto& entry : page.entries) MARGAY_CHECK(visit(entry));
    if (page.resume.empty()) return {};
    options.resume = std::move(page.resume);
  }
}

}  // namespace margay::apiserver
