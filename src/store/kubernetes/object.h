#pragma once

// The API's objects and the store's entries, one from the other; and the API's paths.

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/kind.h"
#include "store/store.h"

namespace margay::store::kubernetes {

// The kind behind a key's resource; `unsupported` when this program does not know it.
base::Result<const api::Kind*> find_kind(std::string_view resource);

// "/apis/projectcalico.org/v3/namespaces/default/networkpolicies": all of them when the kind is
// cluster-scoped or `ns` is empty.
std::string collection_path(const api::Kind& kind, std::string_view ns);
// The same and "/<name>". A namespaced kind without a namespace, or no name: `invalid`.
base::Result<std::string> object_path(const api::Kind& kind, const Key& key);
// Text as one path segment or query value (RFC 3986, 2.1).
std::string escape(std::string_view text);

// `invalid` when it is no JSON object.
base::Result<boost::json::object> parse_object(std::string_view text);
// The same for what a server sent, where that is the server's fault: `internal`.
base::Result<boost::json::object> parse_answer(std::string_view text);
base::Result<Revision> parse_revision(std::string_view text);

// The revision in `object`'s metadata.
base::Result<Revision> revision_of(const boost::json::object& object);
// An object as the server sent it; apiVersion and kind, which it leaves out in lists, are put in.
base::Result<Entry> to_entry(const api::Kind& kind, boost::json::object object);

// The body of a write: `value` with the key's name and namespace, and with this resourceVersion
// or none.
base::Result<std::string> to_body(const api::Kind& kind, const Key& key, std::string_view value,
                                  std::optional<Revision> resource_version);

}  // namespace margay::store::kubernetes
