#pragma once

// Kubernetes' messages between JSON and their protobuf form, by the tables of message_table.h.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "apiserver/message_table.h"
#include "base/result.h"

namespace margay::apiserver {

// The message's JSON. Zeros that only say "unset" are left out. `invalid`, with the field's path: a
// message cut off, text that is no UTF-8, a wrong wire type, a time beyond the year 9999, and a
// value of a field that the table does not have (an unset one is skipped): refused rather than
// dropped.
base::Result<boost::json::object> decode_message(const Message& message, std::string_view bytes);

// The JSON's protobuf form. Members that the message does not have are left out. `invalid`, with
// the field's path: a value of another type than the field's.
base::Result<std::string> encode_message(const Message& message, const boost::json::object& object);

}  // namespace margay::apiserver
