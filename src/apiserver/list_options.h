#pragma once

// The query of a GET on a collection, read and checked.
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list)

#include <chrono>
#include <optional>
#include <string>

#include "api/kind.h"
#include "apiserver/field_selector.h"
#include "apiserver/http_message.h"
#include "apiserver/label_selector.h"
#include "apiserver/path.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

// What of a collection a client wants to see.
struct Filter {
  LabelSelector labels = {};
  FieldSelector fields = {};
  bool nothing = false;  // the selectors contradict the URL: no object can match
  bool empty() const { return labels.empty() && fields.empty() && !nothing; }
  bool matches(const boost::json::object& object) const;
};

enum class RevisionMatch {
  any,             // resourceVersion is "0" or was not given: what there is now
  not_older_than,  // at least as new
  exact,
};

struct ListOptions {
  store::Scope scope;
  Filter filter;            // what the scope does not already say
  std::string name_prefix;  // store::ListOptions; of lists; what Margay's own clients ask for
  size_t limit = 0;
  std::string resume;
  RevisionMatch match = RevisionMatch::any;
  std::optional<store::Revision> revision;  // as given; 0 is "0"

  bool watch = false;
  bool bookmarks = false;
  bool initial_events = false;  // sendInitialEvents: the state as ADDED events, then a bookmark
  std::optional<std::chrono::seconds> timeout;
};

// Whether a GET is a watch: what the authorizer is asked and what is answered must be the same.
bool asks_to_watch(const Query& query);

Answer<ListOptions> parse_list_options(const api::Kind& kind, const ResourcePath& path,
                                       const Query& query);

// resourceVersion of a query or an object. Not a number: 400.
Answer<std::optional<store::Revision>> parse_revision(std::string_view text);

}  // namespace margay::apiserver
