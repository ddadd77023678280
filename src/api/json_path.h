#pragma once

// Looks into JSON whose shape was checked elsewhere, or does not matter: objects as stored, answers
// of servers. A step that is missing or of another type is an absent value. What a user wrote and
// nobody has checked yet is read with Fields (fields.h), where that is an error.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace margay::api {

using JsonPath = std::initializer_list<std::string_view>;

// Null when a step is missing or not an object.
const boost::json::value* find_at(const boost::json::object& object, JsonPath path);
// Each is empty, or false, when the value is missing or of another type. Views of `object`.
std::string_view text_at(const boost::json::object& object, JsonPath path);
std::optional<int64_t> integer_at(const boost::json::object& object, JsonPath path);
bool flag_at(const boost::json::object& object, JsonPath path);
const boost::json::object& object_at(const boost::json::object& object, JsonPath path);
const boost::json::array& list_at(const boost::json::object& object, JsonPath path);

}  // namespace margay::api
