#pragma once

// What the descriptions of Kubernetes' kinds share.

#include "api/describe.h"
#include "api/formats.h"
#include "api/kubernetes.h"

namespace margay::api::kubernetes {

// The struct of a kind that no code of ours reads.
struct Unread {
  ObjectMeta metadata;
};

// A Kind of the core group, with the column that every kind ends with.
Kind core_kind(std::string name, std::string plural, std::vector<std::string> short_names,
               bool namespaced, std::string doc, std::vector<Column> columns);
// The same of another group.
Kind group_kind(std::string group, std::string version, Kind kind);

Described<std::string> time();  // RFC 3339
// A port's protocol: TCP, UDP or SCTP.
Described<std::string> transport_protocol();
Described<LabelSelector> label_selector();
// {type, status, reason, message, ...} of a status.
Described<std::vector<json::value>> conditions();
Described<json::value> object_reference();
// The only address field of an object such as {"ip": "10.0.0.1"}.
Described<std::string> ip_in(std::string name, std::string doc);

// Appends a check that values of `key` occur once among the objects of a list.
void unique_by(std::string_view key, const json::value& objects, const Report& report);

}  // namespace margay::api::kubernetes
