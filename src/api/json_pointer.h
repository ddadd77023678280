#pragma once

// RFC 6901: where a pointer leads, for reading and for the operations of JSON Patch.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

class JsonPointer {
 public:
  static base::Result<JsonPointer> parse(std::string_view text);

  bool is_root() const { return tokens_.empty(); }
  bool is_within(const JsonPointer& ancestor) const;  // below it

  size_t depth() const { return tokens_.size(); }

  // Errors are `invalid` and say where the way ends.
  base::Result<const json::value*> find(const json::value& document) const;
  // What holds the value it leads to, present or not; null for the root.
  base::Result<const json::value*> holder(const json::value& document) const;
  // Inserts into an array, sets in an object.
  base::Result<> add(json::value& document, json::value value) const;
  base::Result<> remove(json::value& document) const;
  base::Result<> replace(json::value& document, json::value value) const;

 private:
  // The value that holds the last token.
  base::Result<json::value*> parent(json::value& document) const;
  base::Result<json::value*> step(json::value& from, const std::string& token) const;

  std::string text_;
  std::vector<std::string> tokens_;
};

}  // namespace margay::api
