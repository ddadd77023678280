// The functions that a template may call.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>

#include "api/codec.h"
#include "ctl/go_template_value.h"
#include "ctl/go_text.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using Arguments = std::vector<TemplateValue>;

std::unexpected<base::Error> wrong(std::string_view what) {
  return fail(ErrorCode::invalid, std::string(what));
}

TemplateValue of(json::value value) { return {.value = std::move(value)}; }

// ---- printing
// ------------------------------------------------------------------------------------

// As fmt.Sprint has it: a blank between two of which neither is text.
std::string print_all(const Arguments& arguments) {
  std::string text;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool apart =
        i > 0 && !arguments[i].value.is_string() && !arguments[i - 1].value.is_string();
    text += (apart ? " " : "") + arguments[i].text();
  }
  return text;
}

std::string print_lines(const Arguments& arguments) {
  std::string text;
  for (const auto& one : arguments) text += (text.empty() ? "" : " ") + one.text();
  return text + "\n";
}

// One verb with its flags, width and precision, "%-10s", of one argument.
std::string print_verb(const std::string& verb, const TemplateValue& argument) {
  const char kind = verb.back();
  const auto& value = argument.value;
  const auto flags = verb.substr(0, verb.size() - 1);
  const auto sized = [&](const std::string& format, auto given) {
    const int size = std::snprintf(nullptr, 0, format.c_str(), given);
    std::string text(static_cast<size_t>(std::max(size, 0)), ' ');
    std::snprintf(text.data(), text.size() + 1, format.c_str(), given);
    return text;
  };
  const auto as_text = [&](const std::string& text) { return sized(flags + "s", text.c_str()); };
  if (kind == 'v' || kind == 's' || kind == 't') return as_text(argument.text());
  if (kind == 'q') return as_text(api::to_json(json::value(argument.text())));
  if (value.is_number() && (kind == 'd' || kind == 'x' || kind == 'X' || kind == 'o'))
    return sized(flags + "ll" + kind, static_cast<long long>(value.to_number<double>()));
  if (value.is_number() && (kind == 'f' || kind == 'e' || kind == 'g'))
    return sized(verb, value.to_number<double>());
  return fmt::format("%!{}({})", kind, argument.text());
}

Result<std::string> print_formatted(const Arguments& arguments) {
  if (arguments.empty() || !arguments.front().value.is_string())
    return wrong("printf needs a format");
  const std::string format(arguments.front().value.get_string());
  std::string text;
  size_t next = 1;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    const auto end = format.find_first_not_of("-+# 0123456789.", i + 1);
    if (end == std::string::npos) return wrong("printf: an unfinished verb");
    const auto verb = format.substr(i, end - i + 1);
    i = end;
    constexpr size_t k_longest_verb = 8;  // "%-20.10s": so that no width is out of proportion
    if (verb.size() > k_longest_verb) return wrong("printf: a verb too long");
    if (verb.back() == '%')
      text += '%';
    else if (next < arguments.size())
      text += print_verb(verb, arguments[next++]);
    else
      text += fmt::format("%!{}(MISSING)", verb.back());
  }
  return text;
}

// ---- comparing
// -----------------------------------------------------------------------------------

// Less than, equal or greater; nothing where they cannot be compared.
std::optional<int> compare(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) {
    const auto left = a.to_number<double>();
    const auto right = b.to_number<double>();
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (a.is_string() && b.is_string()) {
    const auto order = a.get_string().compare(b.get_string());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (a.is_bool() && b.is_bool()) return a.get_bool() == b.get_bool() ? 0 : 1;
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null() ? 0 : 1;
  return std::nullopt;
}

Result<TemplateValue> compared(const std::string& name, const Arguments& arguments) {
  if (arguments.size() < 2) return wrong(name + ": missing argument for comparison");
  if (name == "eq") {  // equal to any of the others
    for (size_t i = 1; i < arguments.size(); ++i) {
      const auto order = compare(arguments[0].value, arguments[i].value);
      if (!order) return wrong("eq: incompatible types for comparison");
      if (*order == 0) return of(true);
    }
    return of(false);
  }
  const auto order = compare(arguments[0].value, arguments[1].value);
  if (!order) return wrong(name + ": incompatible types for comparison");
  if (name == "ne") return of(*order != 0);
  if (name == "lt") return of(*order < 0);
  if (name == "le") return of(*order <= 0);
  if (name == "gt") return of(*order > 0);
  return of(*order >= 0);
}

Result<TemplateValue> chosen(bool stops_at, const Arguments& arguments) {
  if (arguments.empty()) return wrong("and and or need an argument");
  for (const auto& one : arguments)
    if (one.is_true() == stops_at) return one;
  return arguments.back();
}

// ---- collections
// ----------------------------------------------------------------------------------

Result<TemplateValue> length(const Arguments& arguments) {
  if (arguments.size() != 1) return wrong("len needs one argument");
  const auto& value = arguments[0].value;
  if (value.is_string()) return of(static_cast<int64_t>(value.get_string().size()));
  MARGAY_TRY(const auto elements, arguments[0].elements());
  return of(static_cast<int64_t>(elements.size()));
}

Result<TemplateValue> indexed(const Arguments& arguments) {
  if (arguments.empty()) return wrong("index needs an argument");
  auto at = arguments.front();
  for (size_t i = 1; i < arguments.size(); ++i) {
    MARGAY_TRY(const auto elements, at.elements());
    const auto found = std::ranges::find_if(elements, [&](const auto& element) {
      return compare(element.key.value, arguments[i].value) == 0;
    });
    if (found == elements.end() && arguments[i].value.is_number())
      return wrong(fmt::format("index out of range: {}", arguments[i].text()));
    at = found == elements.end() ? of("") : found->value;
  }
  return at;
}

Result<TemplateValue> joined(const Arguments& arguments, bool truncates) {
  const size_t expected = truncates ? 3 : 2;
  if (arguments.size() != expected || !arguments[1].value.is_string())
    return wrong("join needs a list and a separator, joinAndTruncate a length as well");
  const auto most = truncates ? arguments[2].value.if_int64() : nullptr;
  if (truncates && (most == nullptr || *most < 0)) return wrong("joinAndTruncate needs a length");
  return of(json::string(go_join(arguments[0].value, arguments[1].value.get_string(),
                                 most != nullptr ? static_cast<size_t>(*most) : 0)));
}

std::string escaped_html(const std::string& text) {
  const std::map<char, std::string_view> escapes{
      {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
  std::string made;
  for (const char c : text) {
    const auto escape = escapes.find(c);
    made += escape == escapes.end() ? std::string_view(&c, 1) : escape->second;
  }
  return made;
}

}  // namespace

Result<TemplateValue> call_template_function(const std::string& name, const Arguments& arguments,
                                             const TableFacts& facts) {
  if (name == "and" || name == "or") return chosen(name == "or", arguments);
  if (name == "not") {
    if (arguments.size() != 1) return wrong("not needs one argument");
    return of(!arguments[0].is_true());
  }
  constexpr std::string_view k_comparisons[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  if (std::ranges::count(k_comparisons, name) > 0) return compared(name, arguments);
  if (name == "len") return length(arguments);
  if (name == "index") return indexed(arguments);
  if (name == "join" || name == "joinAndTruncate") return joined(arguments, name != "join");
  if (name == "print") return of(json::string(print_all(arguments)));
  if (name == "println") return of(json::string(print_lines(arguments)));
  if (name == "html") return of(json::string(escaped_html(print_all(arguments))));
  if (name == "printf") {
    MARGAY_TRY(const auto text, print_formatted(arguments));
    return of(json::string(text));
  }
  if (name == "config") {
    if (arguments.size() == 1 && arguments[0].value == "asnumber")
      return of(json::string(facts.default_as_number()));
    return wrong("config: unhandled config type");
  }
  return wrong(fmt::format("function \"{}\" not defined", name));
}

}  // namespace margay::ctl
