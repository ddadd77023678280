#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <utility>

#include "apiserver/base64.h"
#include "apiserver/protobuf_message.h"
#include "apiserver/protobuf_wire.h"
#include "apiserver/timestamp.h"

namespace margay::apiserver {
namespace {

namespace json = boost::json;
using base::Result;
using Type = MessageField::Type;
using Shape = MessageField::Shape;

std::unexpected<base::Error> wrong(const json::value& value, std::string_view expected) {
  return base::fail(std::vector<base::FieldError>{
      {.value = json::serialize(value), .detail = fmt::format("must be {}", expected)}});
}

base::Error under(std::string_view step, base::Error error) {
  for (auto& field : error.fields) {
    const bool joined = field.path.empty() || field.path.front() == '[';
    field.path = fmt::format("{}{}{}", step, joined ? "" : ".", field.path);
  }
  return error;
}

Result<> write_message(const Message& message, const json::object& object, WireWriter& out);

Result<std::string_view> text_of(const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return wrong(value, "a string");
  return std::string_view(*text);
}

Result<int64_t> integer_of(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64() && std::in_range<int64_t>(value.get_uint64()))
    return static_cast<int64_t>(value.get_uint64());
  // 80.0 is a whole number too, where no schema has made one of it.
  constexpr double k_exact = 9e15;
  if (value.is_double() && std::trunc(value.get_double()) == value.get_double() &&
      std::abs(value.get_double()) < k_exact)
    return static_cast<int64_t>(value.get_double());
  return wrong(value, "a whole number");
}

Result<WireWriter> write_time(const json::value& value) {
  const auto* text = value.if_string();
  const auto time = text != nullptr ? parse_timestamp(*text) : std::nullopt;
  if (!time || !is_writable(*time)) return wrong(value, "a time such as 2021-04-30T12:00:00Z");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
  WireWriter out;
  out.varint(1, static_cast<uint64_t>(seconds.time_since_epoch().count()));
  out.varint(2, static_cast<uint64_t>((*time - seconds).count() * 1000));
  return out;
}

Result<WireWriter> write_quantity(const json::value& value) {
  WireWriter out;
  if (const auto* text = value.if_string())
    out.bytes(1, *text);
  else if (value.is_number())
    out.bytes(1, json::serialize(value));
  else
    return wrong(value, "a quantity such as 100m, 0.5 or 128Mi");
  return out;
}

Result<WireWriter> write_int_or_string(const json::value& value) {
  WireWriter out;
  if (const auto* text = value.if_string()) {
    out.varint(1, 1);
    out.bytes(3, *text);
    return out;
  }
  const auto number = integer_of(value);
  if (!number) return wrong(value, "a whole number or a string");
  out.varint(2, static_cast<uint64_t>(*number));
  return out;
}

Result<WireWriter> write_object(const Message& message, const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong(value, "an object");
  WireWriter out;
  MARGAY_CHECK(write_message(message, *object, out));
  return out;
}

// One value, or one element of a list or map, under `number`.
Result<> write_value(const MessageField& field, const json::value& value, uint32_t number,
                     WireWriter& out) {
  const auto nested = [&](Result<WireWriter> message) -> Result<> {
    if (!message) return std::unexpected(std::move(message).error());
    out.message(number, *message);
    return {};
  };
  switch (field.type) {
    case Type::text: {
      MARGAY_TRY(const auto text, text_of(value));
      out.bytes(number, text);
      return {};
    }
    case Type::integer: {
      MARGAY_TRY(const auto integer, integer_of(value));
      out.varint(number, static_cast<uint64_t>(integer));
      return {};
    }
    case Type::boolean:
      if (!value.is_bool()) return wrong(value, "true or false");
      out.varint(number, value.get_bool() ? 1 : 0);
      return {};
    case Type::bytes: {
      const auto* text = value.if_string();
      const auto bytes = text != nullptr ? from_base64(*text) : std::nullopt;
      if (!bytes) return wrong("<hidden>", "base64");
      out.bytes(number, *bytes);
      return {};
    }
    case Type::time:
    case Type::micro_time:
      return nested(write_time(value));
    case Type::quantity:
      return nested(write_quantity(value));
    case Type::int_or_string:
      return nested(write_int_or_string(value));
    case Type::message:
      return nested(write_object(*field.message, value));
    case Type::ignored:
      break;
  }
  return {};
}

Result<> write_list(const MessageField& field, const json::value& value, uint32_t number,
                    WireWriter& out) {
  const auto* list = value.if_array();
  if (list == nullptr) return wrong(value, "a list");
  for (size_t i = 0; i < list->size(); ++i) {
    auto written = write_value(field, (*list)[i], number, out);
    if (!written) return std::unexpected(under(fmt::format("[{}]", i), std::move(written).error()));
  }
  return {};
}

Result<> write_entry(const MessageField& field, std::string_view key, const json::value& value,
                     WireWriter& out) {
  WireWriter entry;
  entry.bytes(1, key);
  if (field.shape == Shape::map_of_lists) {
    WireWriter items;
    MARGAY_CHECK(write_list(field, value, 1, items));
    entry.message(2, items);
  } else {
    MARGAY_CHECK(write_value(field, value, 2, entry));
  }
  out.message(field.number, entry);
  return {};
}

Result<> write_map(const MessageField& field, const json::value& value, WireWriter& out) {
  const auto* map = value.if_object();
  if (map == nullptr) return wrong(value, "an object");
  for (const auto& [key, item] : *map) {
    auto written = write_entry(field, key, item, out);
    if (!written)
      return std::unexpected(
          under(fmt::format("[{}]", std::string_view(key)), std::move(written).error()));
  }
  return {};
}

Result<> write_field(const MessageField& field, const json::value& value, WireWriter& out) {
  switch (field.shape) {
    case Shape::single:
      return write_value(field, value, field.number, out);
    case Shape::list:
      return write_list(field, value, field.number, out);
    case Shape::map:
    case Shape::map_of_lists:
      return write_map(field, value, out);
  }
  return {};
}

Result<> write_message(const Message& message, const json::object& object, WireWriter& out) {
  for (const auto& field : message.fields) {
    if (field.name.empty()) {
      WireWriter members;
      MARGAY_CHECK(write_message(*field.message, object, members));
      out.message(field.number, members);
      continue;
    }
    const auto* value = object.if_contains(field.name);
    if (value == nullptr || value->is_null()) continue;
    auto written = write_field(field, *value, out);
    if (!written) return std::unexpected(under(field.name, std::move(written).error()));
  }
  return {};
}

}  // namespace

Result<std::string> encode_message(const Message& message, const json::object& object) {
  WireWriter out;
  MARGAY_CHECK(write_message(message, object, out));
  return std::move(out).take();
}

}  // namespace margay::apiserver
