#include "apiserver/openapi_protobuf.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <span>
#include <string_view>

#include "apiserver/protobuf_wire.h"

namespace margay::apiserver {
namespace {

namespace json = boost::json;

// ---- the messages
// ----------------------------------------------------------------------------------

using Encode = WireWriter (*)(const json::value&);

enum class Form {
  text,
  texts,  // repeated string
  boolean,
  integer,
  number,
  any,       // Any, with the value as YAML text (JSON is YAML)
  anys,      // repeated Any
  message,   // by `encode`
  messages,  // repeated, by `encode`
};

struct Member {
  std::string_view name;
  uint32_t number;
  Form form;
  Encode encode = nullptr;
};

WireWriter encode_any(const json::value& value) {
  WireWriter out;
  out.bytes(2, json::serialize(value));
  return out;
}

// {name = 1, value = 2}: how maps are written.
template <Encode encode>
WireWriter encode_named(std::string_view name, const json::value& value) {
  WireWriter out;
  out.bytes(1, name);
  out.message(2, encode(value));
  return out;
}

template <Encode encode>
WireWriter encode_list(const json::value& value) {
  WireWriter out;
  if (const auto* list = value.if_array())
    for (const auto& element : *list) out.message(1, encode(element));
  return out;
}

template <Encode encode, uint32_t number = 1>
WireWriter encode_map(const json::value& value) {
  WireWriter out;
  if (const auto* map = value.if_object())
    for (const auto& [name, element] : *map)
      out.message(number, encode_named<encode>(name, element));
  return out;
}

template <typename Append>
void for_each_element(const json::value& value, const Append& append) {
  if (const auto* list = value.if_array())
    for (const auto& element : *list) append(element);
}

void append_member(WireWriter& out, const Member& member, const json::value& value) {
  switch (member.form) {
    case Form::text:
      if (const auto* text = value.if_string()) out.bytes(member.number, *text);
      return;
    case Form::texts:
      return for_each_element(value, [&](const json::value& element) {
        if (const auto* text = element.if_string()) out.bytes(member.number, *text);
      });
    case Form::boolean:
      if (value.is_bool() && value.get_bool()) out.varint(member.number, 1);
      return;
    case Form::integer:
      if (value.is_number())
        out.varint(member.number, static_cast<uint64_t>(value.to_number<int64_t>()));
      return;
    case Form::number:
      if (value.is_number()) out.number(member.number, value.to_number<double>());
      return;
    case Form::any:
      return out.message(member.number, encode_any(value));
    case Form::anys:
      return for_each_element(value, [&](const json::value& element) {
        out.message(member.number, encode_any(element));
      });
    case Form::message:
      return out.message(member.number, member.encode(value));
    case Form::messages:
      return for_each_element(value, [&](const json::value& element) {
        out.message(member.number, member.encode(element));
      });
  }
}

// `extensions`: the number of the message's repeated NamedAny for "x-..." members.
WireWriter encode_members(const json::value& value, std::span<const Member> members,
                          uint32_t extensions) {
  WireWriter out;
  const auto* object = value.if_object();
  if (object == nullptr) return out;
  for (const auto& member : members)
    if (const auto* found = object->if_contains(member.name)) append_member(out, member, *found);
  for (const auto& [name, extension] : *object)
    if (std::string_view(name).starts_with("x-"))
      out.message(extensions, encode_named<encode_any>(name, extension));
  return out;
}

WireWriter encode_schema(const json::value& value);

// TypeItem: one type or several.
WireWriter encode_type(const json::value& value) {
  WireWriter out;
  if (const auto* text = value.if_string()) out.bytes(1, *text);
  append_member(out, {"", 1, Form::texts}, value);
  return out;
}

WireWriter encode_items(const json::value& value) {
  if (value.is_array()) return encode_list<encode_schema>(value);
  WireWriter out;
  out.message(1, encode_schema(value));
  return out;
}

WireWriter encode_additional_properties(const json::value& value) {
  WireWriter out;
  if (value.is_bool())
    out.varint(2, value.get_bool() ? 1 : 0);
  else
    out.message(1, encode_schema(value));
  return out;
}

WireWriter encode_schema(const json::value& value) {
  static constexpr Member k_members[] = {
      {"$ref", 1, Form::text},
      {"format", 2, Form::text},
      {"title", 3, Form::text},
      {"description", 4, Form::text},
      {"default", 5, Form::any},
      {"multipleOf", 6, Form::number},
      {"maximum", 7, Form::number},
      {"exclusiveMaximum", 8, Form::boolean},
      {"minimum", 9, Form::number},
      {"exclusiveMinimum", 10, Form::boolean},
      {"maxLength", 11, Form::integer},
      {"minLength", 12, Form::integer},
      {"pattern", 13, Form::text},
      {"maxItems", 14, Form::integer},
      {"minItems", 15, Form::integer},
      {"uniqueItems", 16, Form::boolean},
      {"maxProperties", 17, Form::integer},
      {"minProperties", 18, Form::integer},
      {"required", 19, Form::texts},
      {"enum", 20, Form::anys},
      {"additionalProperties", 21, Form::message, encode_additional_properties},
      {"type", 22, Form::message, encode_type},
      {"items", 23, Form::message, encode_items},
      {"allOf", 24, Form::messages, encode_schema},
      {"properties", 25, Form::message, encode_map<encode_schema>},
      {"readOnly", 27, Form::boolean},
      {"example", 30, Form::any},
  };
  return encode_members(value, k_members, 31);
}

WireWriter encode_body_parameter(const json::value& value) {
  static constexpr Member k_members[] = {{"description", 1, Form::text},
                                         {"name", 2, Form::text},
                                         {"in", 3, Form::text},
                                         {"required", 4, Form::boolean},
                                         {"schema", 5, Form::message, encode_schema}};
  return encode_members(value, k_members, 6);
}

WireWriter encode_query_parameter(const json::value& value) {
  static constexpr Member k_members[] = {{"required", 1, Form::boolean},
                                         {"in", 2, Form::text},
                                         {"description", 3, Form::text},
                                         {"name", 4, Form::text},
                                         {"type", 6, Form::text},
                                         {"format", 7, Form::text},
                                         {"uniqueItems", 20, Form::boolean},
                                         {"enum", 21, Form::anys}};
  return encode_members(value, k_members, 23);
}

// A path or header parameter: they have the same numbers.
WireWriter encode_path_parameter(const json::value& value) {
  static constexpr Member k_members[] = {{"required", 1, Form::boolean},
                                         {"in", 2, Form::text},
                                         {"description", 3, Form::text},
                                         {"name", 4, Form::text},
                                         {"type", 5, Form::text},
                                         {"format", 6, Form::text},
                                         {"uniqueItems", 19, Form::boolean},
                                         {"enum", 20, Form::anys}};
  return encode_members(value, k_members, 22);
}

// NonBodyParameter: which message by where the parameter is.
WireWriter encode_non_body_parameter(const json::value& value, std::string_view place) {
  WireWriter out;
  if (place == "query") out.message(3, encode_query_parameter(value));
  if (place == "path") out.message(4, encode_path_parameter(value));
  if (place == "header") out.message(1, encode_path_parameter(value));
  return out;
}

// ParametersItem: a parameter or a reference to one.
WireWriter encode_parameter(const json::value& value) {
  WireWriter out;
  const auto* object = value.if_object();
  if (object == nullptr) return out;
  if (const auto* reference = object->if_contains("$ref"); reference && reference->is_string()) {
    WireWriter target;
    target.bytes(1, reference->get_string());
    out.message(2, target);
    return out;
  }
  const auto* in = object->if_contains("in");
  const auto place = in && in->is_string() ? std::string_view(in->get_string()) : "";
  WireWriter parameter;
  if (place == "body")
    parameter.message(1, encode_body_parameter(value));
  else
    parameter.message(2, encode_non_body_parameter(value, place));
  out.message(1, parameter);
  return out;
}

// SchemaItem.
WireWriter encode_schema_item(const json::value& value) {
  WireWriter out;
  out.message(1, encode_schema(value));
  return out;
}

// ResponseValue.
WireWriter encode_response(const json::value& value) {
  static constexpr Member k_members[] = {{"description", 1, Form::text},
                                         {"schema", 2, Form::message, encode_schema_item}};
  WireWriter out;
  out.message(1, encode_members(value, k_members, 5));
  return out;
}

WireWriter encode_operation(const json::value& value) {
  static constexpr Member k_members[] = {
      {"tags", 1, Form::texts},
      {"summary", 2, Form::text},
      {"description", 3, Form::text},
      {"operationId", 5, Form::text},
      {"produces", 6, Form::texts},
      {"consumes", 7, Form::texts},
      {"parameters", 8, Form::messages, encode_parameter},
      {"responses", 9, Form::message, encode_map<encode_response>},
      {"schemes", 10, Form::texts},
      {"deprecated", 11, Form::boolean}};
  return encode_members(value, k_members, 13);
}

WireWriter encode_path_item(const json::value& value) {
  static constexpr Member k_members[] = {{"get", 2, Form::message, encode_operation},
                                         {"put", 3, Form::message, encode_operation},
                                         {"post", 4, Form::message, encode_operation},
                                         {"delete", 5, Form::message, encode_operation},
                                         {"options", 6, Form::message, encode_operation},
                                         {"head", 7, Form::message, encode_operation},
                                         {"patch", 8, Form::message, encode_operation},
                                         {"parameters", 9, Form::messages, encode_parameter}};
  return encode_members(value, k_members, 10);
}

WireWriter encode_info(const json::value& value) {
  static constexpr Member k_members[] = {
      {"title", 1, Form::text}, {"version", 2, Form::text}, {"description", 3, Form::text}};
  return encode_members(value, k_members, 7);
}

}  // namespace

std::string to_openapi_protobuf(const json::object& document) {
  static constexpr Member k_members[] = {
      {"swagger", 1, Form::text},
      {"info", 2, Form::message, encode_info},
      {"host", 3, Form::text},
      {"basePath", 4, Form::text},
      {"schemes", 5, Form::texts},
      {"consumes", 6, Form::texts},
      {"produces", 7, Form::texts},
      {"paths", 8, Form::message, encode_map<encode_path_item, 2>},
      {"definitions", 9, Form::message, encode_map<encode_schema>}};
  return encode_members(document, k_members, 16).take();
}

}  // namespace margay::apiserver
