#pragma once

// What the server sets or keeps on objects by their kind, before api::prepare() judges them: the
// part of Kubernetes' registry strategies and default admission that Margay's clients rely on.

#include <boost/json/object.hpp>

#include "api/kind.h"

namespace margay::apiserver {

// A new object: no status from the client, initial phases, default service account, ...
void apply_create_rules(const api::Kind& kind, boost::json::object& object);

// A write to the object itself: the status stays as it was.
void apply_update_rules(const api::Kind& kind, const boost::json::object& old_object,
                        boost::json::object& object);

// A write to /status: its status and metadata, labels and annotations included, as Kubernetes' own
// kinds have it (CNI plugins leave a pod's addresses in annotations by this way); the rest stays as
// it was, and so do a pod's owners.
void apply_status_rules(const api::Kind& kind, const boost::json::object& old_object,
                        boost::json::object& object);

}  // namespace margay::apiserver
