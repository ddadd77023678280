#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
#include "api/yaml_scalar.h"

namespace margay::api {

namespace {

// What other YAML readers take for something else than a string: y and n, times such as
// 2021-04-30, base-60 numbers such as 1:30.
bool is_ambiguous(std::string_view text) {
  if (text.size() == 1) return std::string_view("yYnN=").find(text[0]) != std::string_view::npos;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 4 && text.substr(4).starts_with('-')) return true;
  return text.find(':') != std::string_view::npos &&
         text.find_first_not_of("0123456789:._+-") == std::string_view::npos;
}

bool is_plain(const std::string& text) {
  constexpr std::string_view k_indicators = "-?:,[]{}#&*!|>'\"%@` ";
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const bool dash_word = text.size() > 1 && text[0] == '-' && text[1] != ' ' && text[1] != '-';
  if (k_indicators.find(text.front()) != std::string_view::npos && !dash_word) return false;
  if (text.starts_with("...")) return false;  // at the start of a line, the end of the document
  if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos) return false;
  const auto printable = [](unsigned char c) { return c >= 0x20 && c != 0x7f; };
  if (!std::ranges::all_of(text, printable)) return false;
  const auto resolved = resolve_plain_scalar(text);
  return resolved && resolved->is_string() && !is_ambiguous(text) && text != "<<";
}

// Lines that a literal block keeps as they are.
bool is_literal(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.front() == ' ' || text.front() == '\n')
    return false;
  return std::ranges::all_of(
      text, [](unsigned char c) { return c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f); });
}

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
    } else {
      out_ += to_json(json::value(text));  // a JSON string is a YAML double-quoted one
    }
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
