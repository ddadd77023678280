#include "api/describe.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>

namespace margay::api {

namespace {

template <typename T>
Described<T> scalar(Schema::Type type, std::string format,
                    std::function<base::Result<>(const json::value&, T&)> read) {
  auto schema = std::make_shared<Schema>();
  schema->type = type;
  schema->format = std::move(format);
  return {schema, {std::move(read), [](const T& value) { return json::value(value); }}};
}

base::Result<> read_string(const json::value& value, std::string& into) {
  if (!value.is_string()) return wrong_type(value, "a string");
  into = value.get_string();
  return {};
}

base::Result<> read_integer(const json::value& value, int64_t& into) {
  if (value.is_int64()) {
    into = value.get_int64();
  } else if (value.is_double() && std::trunc(value.get_double()) == value.get_double() &&
             std::abs(value.get_double()) < 9e15) {
    into = static_cast<int64_t>(value.get_double());
  } else {
    return wrong_type(value, "a whole number");
  }
  return {};
}

base::Result<> read_number(const json::value& value, double& into) {
  if (!value.is_number()) return wrong_type(value, "a number");
  into = value.to_number<double>();
  return {};
}

base::Result<> read_int_or_string(const json::value& value, IntOrString& into) {
  if (value.is_string()) {
    into = std::string(value.get_string());
    return {};
  }
  int64_t number = 0;
  if (!read_integer(value, number)) return wrong_type(value, "a whole number or a string");
  into = number;
  return {};
}

Described<json::value> untyped(Schema::Type type) {
  return scalar<json::value>(type, {}, [](const json::value& value, json::value& into) {
    into = value;
    return base::Result<>{};
  });
}

}  // namespace

base::Error under(std::string_view step, base::Error error) {
  for (auto& field : error.fields) {
    const bool joined = field.path.empty() || field.path.front() == '[';
    field.path = fmt::format("{}{}{}", step, joined ? "" : ".", field.path);
  }
  return error;
}

std::unexpected<base::Error> wrong_type(const json::value& value, std::string_view expected) {
  return base::fail(std::vector<base::FieldError>{{base::FieldError::Type::invalid,
                                                   {},
                                                   json::serialize(value),
                                                   fmt::format("must be {}", expected)}});
}

Described<std::string> string() {
  return scalar<std::string>(Schema::Type::string, {}, read_string);
}

Described<bool> boolean() {
  return scalar<bool>(Schema::Type::boolean, {},
                      [](const json::value& value, bool& into) -> base::Result<> {
                        if (!value.is_bool()) return wrong_type(value, "true or false");
                        into = value.get_bool();
                        return {};
                      });
}

Described<int64_t> integer() {
  return scalar<int64_t>(Schema::Type::integer, "int64", read_integer);
}

Described<double> number() {
  auto schema = std::make_shared<Schema>();
  schema->type = Schema::Type::number;
  schema->format = "double";
  return {schema, {read_number, [](double value) -> json::value {
                     const bool whole = std::trunc(value) == value && std::abs(value) < 9e15;
                     if (whole) return static_cast<int64_t>(value);
                     return value;
                   }}};
}

Described<IntOrString> int_or_string() {
  auto schema = std::make_shared<Schema>();
  schema->type = Schema::Type::int_or_string;
  return {schema, {read_int_or_string, [](const IntOrString& value) {
                     return std::visit([](const auto& held) { return json::value(held); }, value);
                   }}};
}

Described<json::value> any() { return untyped(Schema::Type::any); }
Described<json::value> any_object() { return untyped(Schema::Type::map); }

Described<json::value> any_list() {
  auto list = untyped(Schema::Type::list);
  list.schema()->items = any_object().schema();
  return list;
}

Described<std::string> text_in(std::string name, std::string doc, KeptField field) {
  const std::string key = field.described.name;
  auto described = object(std::move(name), std::move(doc), {std::move(field)});
  return {described.schema(),
          {[key](const json::value& value, std::string& into) -> base::Result<> {
             if (!value.is_object()) return wrong_type(value, "an object");
             const json::value* text = value.get_object().if_contains(key);
             return text == nullptr ? base::Result<>() : read_string(*text, into);
           },
           [key](const std::string& text) -> json::value { return json::object{{key, text}}; }}};
}

Described<json::value> object(std::string name, std::string doc, std::vector<KeptField> fields) {
  auto described = untyped(Schema::Type::object);
  described.schema()->name = std::move(name);
  described.schema()->doc = std::move(doc);
  for (auto& kept : fields) described.schema()->fields.push_back(std::move(kept.described));
  return described;
}

}  // namespace margay::api
