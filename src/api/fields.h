#pragma once

// Reads what a user wrote in JSON or YAML outside the described kinds (configurations, options of
// requests) field by field, and notes every rule that it breaks, with the field's path, so that one
// hears of all mistakes at once. A field of the wrong type is an error, never an absent field; null
// is an absent field, as in Kubernetes.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_path.h"
#include "base/result.h"

namespace margay::api {

class Fields {
 public:
  using Type = base::FieldError::Type;
  using Errors = std::vector<base::FieldError>;

  // Any value but an object counts as an empty one, with an error. The value, what `at` was derived
  // from, and `errors` outlive this.
  Fields(const boost::json::value& value, const base::FieldPath& at, Errors& errors);
  Fields(const boost::json::object& object, const base::FieldPath& at, Errors& errors)
      : object_(&object), path_(at), errors_(&errors) {}
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  // Each marks its field as known. Not there: nothing, or the default; `required`: an error too.
  // A required text is not empty.
  std::optional<std::string> text(std::string_view name, bool required = false);
  std::optional<int64_t> number(std::string_view name, int64_t least, int64_t most,
                                bool required = false);
  bool flag(std::string_view name, bool otherwise = false);
  std::vector<std::string> texts(std::string_view name);
  // The object in a field; an empty one where there is none.
  Fields object(std::string_view name);
  const boost::json::value* value(std::string_view name, bool required = false);
  // A text that `parse` understands: `rule` says what it must be.
  template <typename Parse>
  auto parsed(std::string_view name, Parse parse, std::string_view rule, bool required = false)
      -> std::optional<typename decltype(parse(std::string_view{}))::value_type> {
    const auto found = text(name, required);
    if (!found) return {};
    auto result = parse(*found);
    if (result) return *std::move(result);
    invalid(name, rule);
    return {};
  }
  // Calls visit(element, its path) for each element of a list.
  template <typename Visit>
  void each(std::string_view name, Visit visit) {
    const auto* found = value(name);
    if (!found) return;
    const auto* list = found->if_array();
    if (!list) return invalid(name, "must be a list");
    const auto place = path(name);
    for (size_t i = 0; i < list->size(); ++i) visit((*list)[i], place.item(i));
  }
  // The elements of a list of texts that `parse` understands.
  template <typename Parse>
  auto all_parsed(std::string_view name, Parse parse, std::string_view rule) {
    std::vector<typename decltype(parse(std::string_view{}))::value_type> values;
    each(name, [&](const boost::json::value& element, const base::FieldPath& at) {
      const auto* string = element.if_string();
      auto result = parse(string ? std::string_view(*string) : std::string_view());
      if (result)
        values.push_back(*std::move(result));
      else
        invalid_at(at, element, rule);
    });
    return values;
  }

  bool has(std::string_view name) const { return object_->contains(name); }
  // Fields that nobody asked for are errors: call it last.
  void no_others();

  // The value that is there breaks `rule`.
  void invalid(std::string_view name, std::string_view rule) { error(Type::invalid, name, rule); }
  void invalid_at(const base::FieldPath& at, const boost::json::value& value,
                  std::string_view rule) const;
  void missing(std::string_view name) const;
  void error(Type type, std::string_view name, std::string_view rule);
  void error_at(Type type, const base::FieldPath& at, std::string json,
                std::string_view rule) const;
  base::FieldPath path(std::string_view name) const { return path_.field(name); }

 private:
  const boost::json::object* object_;
  base::FieldPath path_;
  Errors* errors_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace margay::api
