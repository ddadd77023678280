#pragma once

// Reads a JSON object field by field and notes every rule that it breaks, with the field's path, so
// that a user hears of all mistakes at once.

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::vector {

class Fields {
 public:
  using Type = base::FieldError::Type;

  // Any value but an object counts as an empty one, with an error. `errors` outlives this.
  Fields(const boost::json::value& value, std::string path, std::vector<base::FieldError>& errors);

  // Each marks its field as known. Not there: nothing, or the default; `required`: an error too.
  std::optional<std::string> text(std::string_view name, bool required = false);
  std::optional<int64_t> number(std::string_view name, int64_t least, int64_t most);
  bool flag(std::string_view name);
  const boost::json::value* value(std::string_view name, bool required = false);
  // A text that `parse` understands: `rule` says what it must be.
  template <typename Parse>
  auto parsed(std::string_view name, Parse parse, std::string_view rule, bool required = false)
      -> std::optional<typename decltype(parse(std::string_view{}))::value_type> {
    const auto found = text(name, required);
    if (!found) return {};
    auto result = parse(*found);
    if (result) return *std::move(result);
    error(Type::invalid, name, *found, rule);
    return {};
  }
  // Calls visit(element, its path) for each element of a list.
  template <typename Visit>
  void each(std::string_view name, Visit visit) {
    const auto* found = value(name);
    if (!found) return;
    const auto* list = found->if_array();
    if (!list) return wrong_type(name, *found, "must be a list");
    for (size_t i = 0; i < list->size(); ++i) visit((*list)[i], element_path(name, i));
  }
  // The elements of a list of texts that `parse` understands.
  template <typename Parse>
  auto all_parsed(std::string_view name, Parse parse, std::string_view rule) {
    std::vector<typename decltype(parse(std::string_view{}))::value_type> values;
    each(name, [&](const boost::json::value& element, const std::string& at) {
      const auto* string = element.if_string();
      auto result = parse(string ? std::string_view(*string) : std::string_view());
      if (result)
        values.push_back(*std::move(result));
      else
        error_at(Type::invalid, at, boost::json::serialize(element), rule);
    });
    return values;
  }

  bool has(std::string_view name) const { return object_.contains(name); }
  // Fields that nobody asked for are errors: call it last.
  void no_others();

  void error(Type type, std::string_view field, std::string_view text, std::string_view rule);
  void error_at(Type type, const std::string& path, std::string json, std::string_view rule);
  std::string path(std::string_view field) const;

 private:
  std::string element_path(std::string_view field, size_t index) const;
  void wrong_type(std::string_view name, const boost::json::value& value, std::string_view rule);

  static const boost::json::object k_empty;
  const boost::json::object& object_;
  std::string path_;
  std::vector<base::FieldError>& errors_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace margay::vector
