#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
#include "api/yaml_scalar.h"

namespace margay::api {

namespace {

// Numbers to the base of 60, such as 1:30 and 190:20:30.15; 8000:9000 is none.
bool is_base_60(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  text = text.substr(0, text.find('.'));
  const auto first = text.find(':');
  if (first == std::string_view::npos || first == 0) return false;
  if (!std::ranges::all_of(text.substr(0, first), [&](char c) { return is_digit(c) || c == '_'; }))
    return false;
  for (auto rest = text.substr(first); !rest.empty();) {
    rest.remove_prefix(1);
    const auto group = rest.substr(0, rest.find(':'));
    const bool is_below_60 = !group.empty() && group.size() <= 2 &&
                             std::ranges::all_of(group, is_digit) &&
                             (group.size() == 1 || group[0] < '6');
    if (!is_below_60) return false;
    rest.remove_prefix(group.size());
  }
  return true;
}

// What other YAML readers take for something else than a string: y and n, times such as
// 2021-04-30, numbers to the base of 60.
bool is_ambiguous(std::string_view text) {
  if (text.size() == 1) return std::string_view("yYnN=").find(text[0]) != std::string_view::npos;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 4 && text.substr(4).starts_with('-')) return true;
  return is_base_60(text);
}

// What a reader takes for another value than this text, where it is not quoted.
bool reads_otherwise(const std::string& text) {
  if (text.empty() || text == "<<" || is_ambiguous(text)) return true;
  const auto resolved = resolve_plain_scalar(text);
  return !resolved || !resolved->is_string();
}

bool has_special_character(std::string_view text) {
  for (; !text.empty(); text.remove_prefix(1))
    if (special_character(text)) return true;
  return false;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20; }) &&
         !has_special_character(text);
}

bool is_plain(const std::string& text) {
  constexpr std::string_view k_indicators = "-?:,[]{}#&*!|>'\"%@` ";
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const bool dash_word = text.size() > 1 && text[0] == '-' && text[1] != ' ' && text[1] != '-';
  if (k_indicators.find(text.front()) != std::string_view::npos && !dash_word) return false;
  if (text.starts_with("...")) return false;  // at the start of a line, the end of the document
  if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos) return false;
  return is_printable(text) && !reads_otherwise(text);
}

// Lines that a literal block keeps as they are.
bool is_literal(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.front() == ' ' || text.front() == '\n')
    return false;
  return std::ranges::all_of(text,
                             [](unsigned char c) { return c == '\n' || c == '\t' || c >= 0x20; }) &&
         !has_special_character(text);
}

size_t utf8_length(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : 3; }  // to U+FFFF

class Writer {
 public:
  void write(const json::value& value, size_t indent) {
    if (const auto* object = value.if_object()) {
      write_object(*object, indent);
    } else if (const auto* array = value.if_array()) {
      write_array(*array, indent);
    } else {
      write_scalar(value, indent);
      out_ += '\n';
    }
  }

  std::string take() { return std::move(out_); }

 private:
  // The cursor stands where the first key goes.
  void write_object(const json::object& object, size_t indent) {
    bool first = true;
    for (const auto& [key, value] : object) {
      if (!first) out_.append(indent, ' ');
      first = false;
      write_text(std::string(key), indent, false);
      out_ += ':';
      write_member(value, indent);
    }
  }

  void write_member(const json::value& value, size_t indent) {
    const auto* object = value.if_object();
    const auto* array = value.if_array();
    if ((object != nullptr && !object->empty()) || (array != nullptr && !array->empty())) {
      // A list stands at its key's own depth, as kubectl writes it.
      const size_t depth = indent + (object != nullptr ? 2 : 0);
      out_ += '\n';
      out_.append(depth, ' ');
      write(value, depth);
      return;
    }
    out_ += ' ';
    write_scalar(value, indent + 2);
    out_ += '\n';
  }

  void write_array(const json::array& array, size_t indent) {
    bool first = true;
    for (const auto& item : array) {
      if (!first) out_.append(indent, ' ');
      first = false;
      out_ += "- ";
      if (item.is_object() && item.get_object().empty()) {
        out_ += "{}\n";
      } else if (item.is_array() && item.get_array().empty()) {
        out_ += "[]\n";
      } else {
        write(item, indent + 2);
      }
    }
  }

  void write_scalar(const json::value& value, size_t indent) {
    if (value.is_object()) {
      out_ += "{}";
    } else if (value.is_array()) {
      out_ += "[]";
    } else if (value.is_string()) {
      write_text(std::string(value.get_string()), indent, true);
    } else if (value.is_double()) {
      // Negative zero would be read as the whole number.
      out_ += fmt::format("{}", value.get_double() == 0 ? 0.0 : value.get_double());
    } else {
      out_ += to_json(value);
    }
  }

  void write_text(const std::string& text, size_t indent, bool may_be_block) {
    if (is_plain(text)) {
      out_ += text;
    } else if (may_be_block && indent > 0 && is_literal(text)) {
      write_literal(text, indent);
    } else if (is_printable(text) && !reads_otherwise(text)) {
      write_in_single_quotes(text);
    } else {
      write_in_double_quotes(text);
    }
  }

  // A JSON string is such a one, but for what YAML does not let stand in it.
  void write_in_double_quotes(const std::string& text) {
    const std::string quoted = to_json(json::value(text));
    for (size_t at = 0; at < quoted.size(); ++at) {
      const auto special = special_character(std::string_view(quoted).substr(at));
      if (!special) {
        out_ += quoted[at];
        continue;
      }
      out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(*special));
      at += utf8_length(*special) - 1;
    }
  }

  void write_in_single_quotes(std::string_view text) {
    out_ += '\'';
    for (const char c : text) out_.append(c == '\'' ? 2 : 1, c);
    out_ += '\'';
  }

  void write_literal(std::string_view text, size_t indent) {
    const size_t content = text.find_last_not_of('\n') + 1;
    const size_t ends = text.size() - content;
    out_ += ends == 0 ? "|-" : ends == 1 ? "|" : "|+";
    if (ends > 0) text.remove_suffix(1);
    for (;;) {
      const std::string_view line = text.substr(0, text.find('\n'));
      out_ += '\n';
      if (!line.empty()) out_.append(indent, ' ').append(line);
      if (line.size() == text.size()) return;
      text.remove_prefix(line.size() + 1);
    }
  }

  std::string out_;
};

}  // namespace

std::string to_yaml(const json::value& value) {
  Writer writer;
  const bool empty = (value.is_object() && value.get_object().empty()) ||
                     (value.is_array() && value.get_array().empty());
  if (empty) return value.is_object() ? "{}\n" : "[]\n";
  writer.write(value, 0);
  return writer.take();
}

}  // namespace margay::api
