#pragma once

// The patch types of the Kubernetes API, as pure functions: document and patch in, document out.
// Errors are `invalid` and say which operation or field; nothing is applied in part. What a patch
// may take is limited (patch_budget.h); at no step is the document larger or deeper, or has it more
// values, than an object may (codec.h), but for what the patch itself brings.

#include <boost/json/value.hpp>

#include "api/patch_budget.h"
#include "base/result.h"

namespace margay::api {

namespace json = boost::json;
struct Schema;

// RFC 6902, with pointers of RFC 6901.
base::Result<json::value> apply_json_patch(json::value document, const json::value& patch,
                                           const PatchLimits& limits = {});

// How many of its operations copy a part of the document: each may double what that takes. Whatever
// else a patch of any type makes of a document is no more than the two of them.
size_t copies_in(const json::value& json_patch);

// RFC 7396.
json::value apply_merge_patch(json::value document, const json::value& patch);

// Kubernetes' strategic merge patch: lists whose schema has a merge strategy are merged by their
// key (or as sets), and the directives $patch, $retainKeys, $deleteFromPrimitiveList/<field> and
// $setElementOrder/<field> are followed.
base::Result<json::value> apply_strategic_merge_patch(const Schema& schema, json::value document,
                                                      const json::value& patch,
                                                      const PatchLimits& limits = {});

}  // namespace margay::api
