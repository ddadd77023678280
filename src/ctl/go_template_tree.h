#pragma once

// A Go template, parsed. For the files of go_template.h.

#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::ctl {

struct TemplatePipeline;

struct TemplateOperand {
  enum class Type { dot, variable, literal, function, group };
  Type type = Type::dot;
  std::string name;                         // of a variable or function
  boost::json::value literal;               // nil is null
  std::shared_ptr<TemplatePipeline> group;  // in parentheses
  std::vector<std::string> fields;          // .A.B behind it
};

// A function and its arguments, or one operand by itself.
using TemplateCommand = std::vector<TemplateOperand>;

struct TemplatePipeline {
  std::vector<std::string> variables;  // that it sets; two only of a range
  bool declares = false;               // := rather than =
  std::vector<TemplateCommand> commands;
  size_t line = 1;
};

struct TemplateNode {
  enum class Type { text, output, choice, with, range };
  Type type = Type::text;
  std::string text;
  TemplatePipeline pipeline;
  std::vector<TemplateNode> body, otherwise;
};

base::Result<std::vector<TemplateNode>> parse_go_template(std::string_view text);

}  // namespace margay::ctl
