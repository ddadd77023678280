#pragma once

// Where a check says what is wrong: the path of the value it looks at, and the list of everything
// found so far. Messages follow Kubernetes' apimachinery field.Error.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// A value, cheap to derive; `errors` outlives it. Of many errors the first are told, and of a long
// value its beginning: an object may have a quarter of a million of them.
class Report {
 public:
  static constexpr size_t k_most_errors = 100;
  static constexpr size_t k_longest_value = 1'024;

  explicit Report(std::vector<base::FieldError>& errors, std::string path = {})
      : errors_(&errors), path_(std::move(path)) {}

  Report field(std::string_view name) const;  // path.name
  Report item(size_t index) const;            // path[index]
  Report key(std::string_view key) const;     // path[key]

  void invalid(const json::value& value, std::string rule) const;
  void invalid(const std::string& text, std::string rule) const;
  void required(std::string rule = {}) const;
  void not_supported(const json::value& value, const std::vector<std::string>& supported) const;
  void duplicate(const json::value& value) const;
  void duplicate(const std::string& text) const;
  void forbidden(std::string rule) const;
  void too_long(const json::value& value, size_t limit) const;
  void unknown() const;

  const std::string& path() const { return path_; }
  size_t count() const { return errors_->size(); }

 private:
  void add(base::FieldError::Type type, std::string value, std::string rule) const;

  std::vector<base::FieldError>* errors_;
  std::string path_;
};

}  // namespace margay::api
