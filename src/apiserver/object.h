#pragma once

// Objects as stored and as sent.
//
// The store keeps an object's JSON without metadata.resourceVersion (the revision is the store's to
// give), with apiVersion, kind and metadata first. So the text sent to a client is the stored text
// with the revision put in place: a plain read parses nothing.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "api/json_path.h"
#include "api/kind.h"
#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

// "metadata.resourceVersion" is left out; managedFields and selfLink too, which this server does
// not keep. The text has been read back: what a reader would not accept (api::check_readable) is
// refused here, so that no write can stop those who read.
Answer<std::string> to_stored(const api::Kind& kind, const json::object& object);
// That text, unjudged.
std::string to_text(const api::Kind& kind, const json::object& object);

// The text to send. Revision 0 (an object of a dry run) adds nothing.
std::string to_sent(const api::Kind& kind, std::string_view stored, store::Revision revision);

// Whether a stored object can be read; `internal`, naming it, when not.
Answer<> check_stored(const store::Entry& entry);

// The object with its metadata.resourceVersion. What cannot be read is an `internal` refusal.
Answer<json::object> parse_stored(const store::Entry& entry);

using api::find_at;
using api::integer_at;
using api::JsonPath;
using api::text_at;

// The object's metadata; an empty one when there is none.
const json::object& metadata_of(const json::object& object);
json::object& metadata_of(json::object& object);
// Copies one member from one object to another; removes it when `from` has none.
void carry_over(std::string_view member, const json::object& from, json::object& to);

}  // namespace margay::apiserver
