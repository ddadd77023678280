#pragma once

// How the files that describe types do it. For those files only: it is templates throughout.
//
//   const Described<ICMPFields>& icmp_fields() {
//     static const auto described = object<ICMPFields>("v3.ICMPFields", "An ICMP message.",
//         {field("type", &ICMPFields::type, integer().between(0, 254), "The message's type."),
//          field("code", &ICMPFields::code, integer().between(0, 255), "Its code.")})
//         .check([](const ICMPFields& icmp, const Report& report) { ... });
//     return described;
//   }
//
// A Described<T> pairs the schema of a JSON value with its translation to and from a T. Fields that
// no struct has are described with keep(): they are typed, kept and documented all the same.

#include <concepts>
#include <initializer_list>

#include "api/codec.h"
#include "api/kind.h"
#include "api/meta.h"
#include "api/schema.h"

namespace margay::api {

template <typename T>
struct Translation {
  std::function<base::Result<>(const json::value&, T&)> read;
  std::function<json::value(const T&)> write;
};

// Puts `step` ("spec", "[3]") before the path of each field error.
base::Error under(std::string_view step, base::Error error);
std::unexpected<base::Error> wrong_type(const json::value& value, std::string_view expected);

template <typename T>
class Described {
 public:
  using Value = T;

  Described(std::shared_ptr<Schema> schema, Translation<T> translation)
      : schema_(std::move(schema)),
        translation_(std::make_shared<const Translation<T>>(std::move(translation))) {}

  const std::shared_ptr<Schema>& schema() const { return schema_; }
  base::Result<> read(const json::value& value, T& into) const {
    return translation_->read(value, into);
  }
  json::value write(const T& value) const { return translation_->write(value); }

  // The builders below are for the expression that makes a description, before it is shared.
  Described doc(std::string text) && {
    schema_->doc = std::move(text);
    return *this;
  }
  Described format(std::string text) && {
    schema_->format = std::move(text);
    return *this;
  }
  Described nullable() && {
    schema_->nullable = true;
    return *this;
  }
  Described keeps_empty() && {
    schema_->keeps_empty = true;
    return *this;
  }
  Described at_least(int64_t low) && {
    schema_->minimum = low;
    return *this;
  }
  Described between(int64_t low, int64_t high) && {
    schema_->minimum = low;
    schema_->maximum = high;
    return *this;
  }
  Described one_of(std::vector<std::string> values) && {
    schema_->supported_values = std::move(values);
    return *this;
  }
  Described normalize(Schema::Normalize rewrite) && {
    schema_->normalizers.push_back(std::move(rewrite));
    return *this;
  }
  Described check(std::function<void(const T&, const Report&)> rule) && {
    schema_->checks.push_back([translation = translation_, rule = std::move(rule)](
                                  const json::value& value, const Report& report) {
      T decoded{};
      if (translation->read(value, decoded)) rule(decoded, report);
    });
    return *this;
  }
  Described check_json(Schema::Check rule) && {
    schema_->checks.push_back(std::move(rule));
    return *this;
  }
  Described check_update(Schema::UpdateCheck rule) && {
    schema_->update_checks.push_back(std::move(rule));
    return *this;
  }

 private:
  std::shared_ptr<Schema> schema_;
  std::shared_ptr<const Translation<T>> translation_;
};

// ---- scalars --------------------------------------------------------------------------------

Described<std::string> string();
Described<bool> boolean();
Described<int64_t> integer();
Described<double> number();
Described<IntOrString> int_or_string();
Described<json::value> any();         // anything, unlooked at
Described<json::value> any_object();  // an object with whatever fields
Described<json::value> any_list();    // a list of whatever objects

// ---- lists and maps ---------------------------------------------------------------------------

template <typename T>
Described<std::vector<T>> list(const Described<T>& item) {
  auto schema = std::make_shared<Schema>();
  schema->type = Schema::Type::list;
  schema->items = item.schema();
  Translation<std::vector<T>> translation;
  translation.read = [item](const json::value& value, std::vector<T>& into) -> base::Result<> {
    if (!value.is_array()) return wrong_type(value, "a list");
    into.clear();
    into.reserve(value.get_array().size());
    for (const auto& element : value.get_array()) {
      T decoded{};
      if (auto read = item.read(element, decoded); !read)
        return std::unexpected(under("[" + std::to_string(into.size()) + "]", read.error()));
      into.push_back(std::move(decoded));
    }
    return {};
  };
  translation.write = [item](const std::vector<T>& values) -> json::value {
    json::array array;
    for (const auto& value : values) array.push_back(item.write(value));
    return array;
  };
  return {schema, translation};
}

template <typename Map>
Described<Map> map_of(const Described<typename Map::mapped_type>& item) {
  auto schema = std::make_shared<Schema>();
  schema->type = Schema::Type::map;
  schema->items = item.schema();
  Translation<Map> translation;
  translation.read = [item](const json::value& value, Map& into) -> base::Result<> {
    if (!value.is_object()) return wrong_type(value, "an object");
    into.clear();
    for (const auto& [key, element] : value.get_object()) {
      if (auto read = item.read(element, into[std::string(key)]); !read)
        return std::unexpected(under("[" + std::string(key) + "]", read.error()));
    }
    return {};
  };
  translation.write = [item](const Map& values) -> json::value {
    json::object object;
    for (const auto& [key, value] : values) object[key] = item.write(value);
    return object;
  };
  return {schema, translation};
}

inline Described<Labels> string_map() { return map_of<Labels>(string()); }
// Of labels that something must have.
inline Described<Labels> wanted_labels() { return map_of<Labels>(string().keeps_empty()); }

// null stands for an unset element.
template <typename T>
Described<std::optional<T>> nullable(const Described<T>& item) {
  auto schema = std::make_shared<Schema>(*item.schema());
  schema->nullable = true;
  Translation<std::optional<T>> translation;
  translation.read = [item](const json::value& value, std::optional<T>& into) -> base::Result<> {
    if (value.is_null()) {
      into.reset();
      return {};
    }
    return item.read(value, into.emplace());
  };
  translation.write = [item](const std::optional<T>& value) -> json::value {
    return value ? item.write(*value) : json::value();
  };
  return {schema, translation};
}

// ---- objects --------------------------------------------------------------------------------

// What encode() leaves out unless the field is required.
template <typename T>
bool is_empty(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value == T{};
  } else if constexpr (requires { value.has_value(); }) {
    return !value.has_value();
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return false;
  }
}

// How a field may be told apart from a plain optional one.
template <typename Self>
class FieldOptions {
 public:
  Self required() && {
    described.is_required = true;
    return self();
  }
  Self immutable() && {
    described.is_immutable = true;
    return self();
  }
  Self beyond_v3_19() && {
    described.is_beyond_v3_19 = true;
    return self();
  }
  Self default_to(json::value value) && {
    described.default_value = std::move(value);
    return self();
  }
  // Strategic merge: lists of objects by `key`, lists of scalars as sets.
  Self merges(std::string key = {}) && {
    described.patch.merge = true;
    described.patch.merge_key = std::move(key);
    return self();
  }
  Self retains_keys() && {
    described.patch.retain_keys = true;
    return self();
  }

  Field described;

 private:
  friend Self;
  explicit FieldOptions(Field field) : described(std::move(field)) {}
  Self self() { return std::move(static_cast<Self&>(*this)); }
};

// A field that no struct has.
class KeptField : public FieldOptions<KeptField> {
 public:
  explicit KeptField(Field field) : FieldOptions(std::move(field)) {}
};

// A field of struct S; without `read` and `write` it is only kept.
template <typename S>
class BoundField : public FieldOptions<BoundField<S>> {
 public:
  using Read = std::function<base::Result<>(const json::value&, S&)>;
  using Write = std::function<void(const S&, bool required, json::object&)>;

  BoundField(Field field, Read reader, Write writer)
      : FieldOptions<BoundField<S>>(std::move(field)),
        read(std::move(reader)),
        write(std::move(writer)) {}
  BoundField(KeptField kept)  // NOLINT(google-explicit-constructor): lists mix both
      : FieldOptions<BoundField<S>>(std::move(kept.described)) {}

  Read read;
  Write write;
};

template <typename T>
KeptField keep(std::string name, const Described<T>& described, std::string doc) {
  return KeptField({.name = std::move(name), .schema = described.schema(), .doc = std::move(doc)});
}

template <typename S, typename M, typename T>
BoundField<S> field(std::string name, M S::* member, const Described<T>& described,
                    std::string doc) {
  static_assert(std::same_as<M, T> || std::same_as<M, std::optional<T>>);
  auto read = [member, described](const json::value& value, S& into) -> base::Result<> {
    if constexpr (std::same_as<M, T>) {
      return described.read(value, into.*member);
    } else {
      return described.read(value, (into.*member).emplace());
    }
  };
  auto write = [member, described, name](const S& from, bool required, json::object& object) {
    const M& value = from.*member;
    if (!required && is_empty(value)) return;
    json::value written;
    if constexpr (std::same_as<M, T>) {
      written = described.write(value);
      if (!required && written.is_object() && written.get_object().empty()) return;
    } else {
      written = value ? described.write(*value) : json::value();
    }
    object[name] = std::move(written);
  };
  return {{.name = std::move(name), .schema = described.schema(), .doc = std::move(doc)},
          std::move(read),
          std::move(write)};
}

// An object in JSON whose fields belong to the enclosing struct.
template <typename S>
BoundField<S> embed(std::string name, const Described<S>& described, std::string doc) {
  auto write = [described, name](const S& from, bool required, json::object& object) {
    json::value written = described.write(from);
    if (required || !written.get_object().empty()) object[name] = std::move(written);
  };
  return {{.name = std::move(name), .schema = described.schema(), .doc = std::move(doc)},
          [described](const json::value& value, S& into) { return described.read(value, into); },
          std::move(write)};
}

// `name` is the OpenAPI definition's; empty: written in place.
template <typename S>
Described<S> object(std::string name, std::string doc, std::vector<BoundField<S>> fields) {
  auto schema = std::make_shared<Schema>();
  schema->type = Schema::Type::object;
  schema->name = std::move(name);
  schema->doc = std::move(doc);
  for (const auto& bound : fields) schema->fields.push_back(bound.described);
  Translation<S> translation;
  const auto shared = std::make_shared<const std::vector<BoundField<S>>>(std::move(fields));
  translation.read = [shared](const json::value& value, S& into) -> base::Result<> {
    if (!value.is_object()) return wrong_type(value, "an object");
    for (const auto& bound : *shared) {
      if (!bound.read) continue;
      const json::value* member = value.get_object().if_contains(bound.described.name);
      if (member == nullptr || member->is_null()) continue;
      if (auto read = bound.read(*member, into); !read)
        return std::unexpected(under(bound.described.name, read.error()));
    }
    return {};
  };
  translation.write = [shared](const S& from) -> json::value {
    json::object object;
    for (const auto& bound : *shared)
      if (bound.write) bound.write(from, bound.described.is_required, object);
    return object;
  };
  return {schema, translation};
}

// An object that no struct has.
Described<json::value> object(std::string name, std::string doc, std::vector<KeptField> fields);

// An object whose one field matters, as the text of that field: {"ip": "10.0.0.1"}.
Described<std::string> text_in(std::string name, std::string doc, KeptField field);

// ---- kinds ----------------------------------------------------------------------------------

const Described<ObjectMeta>& object_meta();

// A rule for metadata.name; says what is wrong through the report.
using NameRule = std::function<void(const std::string& name, const Report& report)>;

template <typename T>
struct Resource {
  Kind kind;
  Described<T> type;
};

// Adds what every kind has (apiVersion, kind, metadata and the rules for them) to `schema`.
void complete_kind(Kind& kind, Schema& schema, NameRule name_rule);

template <typename T>
Resource<T> describe_kind(Kind kind, NameRule name_rule, std::vector<BoundField<T>> fields) {
  const auto constant = [](std::string name, std::string value, std::string doc) {
    Field field{.name = name, .schema = string().one_of({value}).schema(), .doc = std::move(doc)};
    field.is_required = true;
    return BoundField<T>(std::move(field), {}, [name, value](const T&, bool, json::object& object) {
      object[name] = value;
    });
  };
  std::vector<BoundField<T>> all{
      constant("apiVersion", kind.api_version(), "The group and version of the kind."),
      constant("kind", kind.name, "The kind."),
      field("metadata", &T::metadata, object_meta(), "Name, labels and the like.").required()};
  all.insert(all.end(), std::make_move_iterator(fields.begin()),
             std::make_move_iterator(fields.end()));
  auto type = object<T>({}, kind.doc, std::move(all));
  complete_kind(kind, *type.schema(), std::move(name_rule));
  kind.schema = type.schema();
  return {std::move(kind), std::move(type)};
}

// Specialised for each struct that is a kind, in the file that describes it.
template <typename T>
const Resource<T>& resource();

template <typename T>
base::Result<T> decode(const json::value& value) {
  T decoded{};
  auto read = resource<T>().type.read(value, decoded);
  if (!read) {
    read.error().message.clear();
    return base::fail(std::move(read.error().fields));
  }
  return decoded;
}

template <typename T>
json::object encode(const T& object) {
  return std::move(resource<T>().type.write(object).get_object());
}

}  // namespace margay::api

// The codec of a kind, from its description.
#define MARGAY_INSTANTIATE_CODEC(T)                                                   \
  template margay::base::Result<T> margay::api::decode<T>(const boost::json::value&); \
  template boost::json::object margay::api::encode<T>(const T&)
