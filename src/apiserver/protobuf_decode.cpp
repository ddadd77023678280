#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <limits>

#include "apiserver/base64.h"
#include "apiserver/protobuf_message.h"
#include "apiserver/protobuf_wire.h"
#include "apiserver/timestamp.h"
#include "base/utf8.h"

namespace margay::apiserver {
namespace {

namespace json = boost::json;
using base::Result;
using Type = MessageField::Type;
using Shape = MessageField::Shape;

std::unexpected<base::Error> malformed(std::string_view why) {
  return base::fail(std::vector<base::FieldError>{{.detail = std::string(why)}});
}

base::Error under(std::string_view step, base::Error error) {
  if (step.empty()) return error;  // of members that stand in the message around
  for (auto& field : error.fields)
    field.path = fmt::format("{}{}{}", step, field.path.empty() ? "" : ".", field.path);
  return error;
}

// A value, and whether it is what encoders write for an unset field. Of a message that cannot be
// told, and JSON shows it all the same.
struct Value {
  json::value json;
  bool is_zero = false;
};

Result<> read_message(const Message& message, std::string_view bytes, json::object& out);

Result<Value> read_text(std::string_view bytes) {
  if (!base::is_utf8(bytes)) return malformed("the text is not UTF-8");
  return Value{json::string(bytes), bytes.empty()};
}

Result<Value> read_time(std::string_view bytes, bool micro) {
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return malformed("the time is cut off");
    if (field->number == 1) seconds = static_cast<int64_t>(field->integer);
    if (field->number == 2) nanoseconds = static_cast<int32_t>(field->integer);
  }
  if (bytes.empty()) return Value{json::value(), true};
  constexpr int64_t k_second = 1'000'000'000;
  constexpr int64_t k_most = 1'000'000'000'000;  // seconds; that it can be counted in microseconds
  const bool countable = seconds > -k_most && seconds < k_most;
  const auto time = Timestamp(std::chrono::seconds(countable ? seconds : 0));
  if (!countable || !is_writable(time) || nanoseconds < 0 || nanoseconds >= k_second)
    return malformed("the time must be in the years 1 to 9999");
  // Go's zero time is unset too.
  if (seconds == -62'135'596'800 && nanoseconds == 0) return Value{json::value(), true};
  return Value{json::string(
      micro ? to_micro_time(time + std::chrono::microseconds(nanoseconds / 1000)) : to_time(time))};
}

Result<Value> read_quantity(std::string_view bytes) {
  std::string_view text;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field || field->type != WireType::bytes) return malformed("the quantity is cut off");
    if (field->number == 1) text = field->bytes;
  }
  return read_text(text);
}

Result<Value> read_int_or_string(std::string_view bytes) {
  bool is_text = false;
  int64_t number = 0;
  std::string_view text;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return malformed("the number or name is cut off");
    if (field->number == 1) is_text = field->integer == 1;
    if (field->number == 2) number = static_cast<int32_t>(field->integer);
    if (field->number == 3) text = field->bytes;
  }
  if (is_text) return read_text(text);
  return Value{number, number == 0};
}

Result<Value> read_value(const MessageField& field, const WireField& wire) {
  const bool is_number = field.type == Type::integer || field.type == Type::boolean;
  if (is_number != (wire.type == WireType::varint)) return malformed("it has the wrong wire type");
  switch (field.type) {
    case Type::text:
      return read_text(wire.bytes);
    case Type::integer:
      return Value{static_cast<int64_t>(wire.integer), wire.is_zero()};
    case Type::boolean:
      return Value{wire.integer != 0, wire.is_zero()};
    case Type::bytes:
      return Value{json::string(base64(wire.bytes)), wire.is_zero()};
    case Type::time:
    case Type::micro_time:
      return read_time(wire.bytes, field.type == Type::micro_time);
    case Type::quantity:
      return read_quantity(wire.bytes);
    case Type::int_or_string:
      return read_int_or_string(wire.bytes);
    case Type::message: {
      json::object object;
      MARGAY_CHECK(read_message(*field.message, wire.bytes, object));
      return Value{std::move(object)};
    }
    case Type::ignored:
      break;
  }
  return Value{json::value(), true};
}

json::array& array_at(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_array() ? value.as_array() : value.emplace_array();
}

json::object& object_at(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_object() ? value.as_object() : value.emplace_object();
}

// {items = 1}: the lists of a map of them.
Result<json::array> read_items(std::string_view bytes) {
  json::array items;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field || field->type != WireType::bytes) return malformed("a list is cut off");
    MARGAY_TRY(auto item, read_text(field->bytes));
    items.push_back(std::move(item.json));
  }
  return items;
}

// {key = 1, value = 2}: one entry of a map.
Result<> read_entry(const MessageField& field, std::string_view bytes, json::object& out) {
  std::string_view key;
  WireField value{.type = WireType::bytes};
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto part = reader.next();
    if (!part || part->type != WireType::bytes) return malformed("an entry of the map is cut off");
    if (part->number == 1) key = part->bytes;
    if (part->number == 2) value = *part;
  }
  if (!base::is_utf8(key)) return malformed("a key is not UTF-8");
  if (field.shape == Shape::map_of_lists) {
    MARGAY_TRY(out[key], read_items(value.bytes));
    return {};
  }
  MARGAY_TRY(auto read, read_value(field, value));
  out[key] = std::move(read.json);
  return {};
}

// Numbers may come one a field or packed together.
Result<> read_item(const MessageField& field, const WireField& wire, json::array& out) {
  if (field.type == Type::integer && wire.type == WireType::bytes) {
    for (WireReader packed(wire.bytes); !packed.at_end();) {
      const auto number = packed.varint();
      if (!number) return malformed("a packed number is cut off");
      out.emplace_back(static_cast<int64_t>(*number));
    }
    return {};
  }
  MARGAY_TRY(auto value, read_value(field, wire));
  out.push_back(std::move(value.json));
  return {};
}

Result<> read_field(const MessageField& field, const WireField& wire, json::object& out) {
  if (field.type == Type::ignored) return {};
  if (field.shape == Shape::list) return read_item(field, wire, array_at(out, field.name));
  const bool is_nested = field.shape != Shape::single || field.name.empty();
  if (is_nested && wire.type != WireType::bytes) return malformed("it has the wrong wire type");
  if (field.shape != Shape::single)
    return read_entry(field, wire.bytes, object_at(out, field.name));
  if (field.name.empty()) return read_message(*field.message, wire.bytes, out);
  MARGAY_TRY(auto value, read_value(field, wire));
  const bool is_shown = !value.is_zero || field.keeps_zero || field.shows_zero;
  if (is_shown && !value.json.is_null()) out[field.name] = std::move(value.json);
  return {};
}

Result<> read_message(const Message& message, std::string_view bytes, json::object& out) {
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto wire = reader.next();
    if (!wire) return malformed("the message is cut off");
    const auto field = std::ranges::find(message.fields, wire->number, &MessageField::number);
    if (field == message.fields.end()) {
      if (wire->is_zero()) continue;  // of another release; says nothing
      return malformed(fmt::format("field {} of {} is not known here; send JSON instead",
                                   wire->number, message.name));
    }
    if (auto read = read_field(*field, *wire, out); !read)
      return std::unexpected(under(field->name, std::move(read).error()));
  }
  return {};
}

}  // namespace

Result<json::object> decode_message(const Message& message, std::string_view bytes) {
  json::object out;
  MARGAY_CHECK(read_message(message, bytes, out));
  return out;
}

}  // namespace margay::apiserver
