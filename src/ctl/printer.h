#pragma once

// What `get` shows, in the format that the user chose by `-o`.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

// One answer: an object, or the list of a type's.
struct Shown {
  const ResourceType* type = nullptr;
  json::object object;  // in the form of printed_form.h
  bool is_list = false;
};

struct OutputFormat {
  enum class Type { table, wide, columns, yaml, json, names, go_template };
  Type type = Type::table;
  std::vector<std::string> headings = {};  // of columns
  std::string text = {};                   // of a template
};

// "ps", "wide", "yaml", "json", "name", "custom-columns=A,B", "go-template=...",
// "go-template-file=FILE", which is read.
base::Result<OutputFormat> parse_output_format(const std::string& text);

base::Result<std::string> print(const OutputFormat& format, const std::vector<Shown>& shown,
                                bool with_namespace, const TableFacts& facts);

}  // namespace margay::ctl
