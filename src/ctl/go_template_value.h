#pragma once

// What a Go template computes with: JSON values that know what they are described as, so that a
// field that an object leaves out has Go's zero value. For the files of go_template.h.

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

struct TemplateElement;

struct TemplateValue {
  json::value value;
  const api::Schema* schema = nullptr;     // null: nothing is known of it
  const ResourceType* resource = nullptr;  // an object of the type, or a list of such
  bool is_list = false;                    // with `resource`: the list document
  std::shared_ptr<const std::vector<TemplateValue>> answers;  // the outermost dot

  // What {{if}} asks.
  bool is_true() const;
  // As it is written into the output.
  std::string text() const;

  // What {{range}} goes through; an error for what is no collection.
  base::Result<std::vector<TemplateElement>> elements() const;
  base::Result<TemplateValue> field(std::string_view name) const;
};

struct TemplateElement {
  TemplateValue key, value;
};

// The built-in functions and calicoctl's. `and` and `or` are given all their arguments.
base::Result<TemplateValue> call_template_function(const std::string& name,
                                                   const std::vector<TemplateValue>& arguments,
                                                   const TableFacts& facts);

}  // namespace margay::ctl
