#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <map>
#include <streambuf>

#include "api/codec.h"
#include "api/text_position.h"
#include "api/yaml_scalar.h"
#include "base/utf8.h"

namespace margay::api {

namespace {

// What aliases and anchors may copy in one stream ("billion laughs"), by weight().
constexpr size_t k_max_copied = 4 * k_max_object_bytes;

// About what a value takes: a byte for each of text, some for each value.
size_t weight(const json::value& value) {
  size_t sum = sizeof(json::value);
  if (const auto* text = value.if_string()) sum += text->size();
  if (const auto* object = value.if_object())
    for (const auto& [key, member] : *object) sum += key.size() + weight(member);
  if (const auto* array = value.if_array())
    for (const auto& item : *array) sum += weight(item);
  return sum;
}

// yaml-cpp writes the escapes "\N" (U+0085) and "\_" (U+00A0) as single bytes, which are no UTF-8.
std::string with_whole_escapes(const YAML::Mark& mark, std::string_view text) {
  std::string whole;
  for (size_t bad; (bad = base::find_malformed_utf8(text)) != std::string_view::npos;) {
    if (text[bad] != '\x85' && text[bad] != '\xa0')
      throw YAML::ParserException(mark, "the text is not UTF-8");
    whole.append(text.substr(0, bad)).append({'\xc2', text[bad]});
    text.remove_prefix(bad + 1);
  }
  return whole.append(text);
}

size_t find_disputed_break(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at)
    if (const auto c = special_character(text.substr(at)); c && is_disputed_break(*c)) return at;
  return std::string_view::npos;
}

// Makes JSON from yaml-cpp's events. Errors leave as YAML::Exception, for the parser to pass on.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::vector<json::value>& documents) : documents_(documents) {}

  // yaml-cpp does not go past a token that it has no place for, and would hand out empty documents
  // there for ever.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos <= document_start_) throw YAML::ParserException(mark, "unexpected text");
    document_start_ = mark.pos;
    anchors_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, {}, anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(mark, "an alias to something that has not ended");
    charge(mark, found->second);
    add(mark, found->second, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    add(mark, scalar(mark, tag, with_whole_escapes(mark, text)), anchor,
        tag == "?" && text == "<<");
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::array());
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    json::value value;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::string key;
    bool has_key = false;
    bool merging = false;  // the key is a plain "<<"
    json::object merged;   // what "<<" brought; the mapping's own keys win
  };

  [[noreturn]] static void fail(const YAML::Mark& mark, const std::string& what) {
    throw YAML::ParserException(mark, what);
  }

  // For a copy of `value` that is about to be made.
  void charge(const YAML::Mark& mark, const json::value& value) {
    copied_ += weight(value);
    if (copied_ > k_max_copied) fail(mark, "aliases make the document too large");
  }

  static json::value scalar(const YAML::Mark& mark, const std::string& tag,
                            const std::string& text) {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return json::value(text);
    const bool core = tag == "?" || tag.empty() || tag == "tag:yaml.org,2002:int" ||
                      tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool" ||
                      tag == "tag:yaml.org,2002:null";
    if (!core) fail(mark, "unsupported tag \"" + tag + "\"");
    auto value = resolve_plain_scalar(text);
    if (!value) fail(mark, value.error().message);
    if (tag.ends_with(":float") && value->is_int64()) return value->to_number<double>();
    return *std::move(value);
  }

  static std::string key_text(const YAML::Mark& mark, const json::value& key) {
    if (key.is_string()) return std::string(key.get_string());
    if (!key.is_primitive() || key.is_null()) fail(mark, "a key must be a string");
    return to_json(key);
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            json::value empty) {
    if (!tag.empty() && tag != "?" && tag != "!" && !tag.starts_with("tag:yaml.org,2002:"))
      fail(mark, "unsupported tag \"" + tag + "\"");
    if (stack_.size() >= k_max_object_depth) fail(mark, "nested too deeply");
    stack_.push_back({.value = std::move(empty), .anchor = anchor, .mark = mark});
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (auto* object = frame.value.if_object())
      for (auto& [key, value] : frame.merged) object->emplace(key, std::move(value));
    add(frame.mark, std::move(frame.value), frame.anchor);
  }

  void add(const YAML::Mark& mark, json::value value, YAML::anchor_t anchor, bool merge = false) {
    if (anchor != 0) {
      charge(mark, value);
      anchors_[anchor] = value;
    }
    if (stack_.empty()) {
      if (!value.is_null()) documents_.push_back(std::move(value));
      return;
    }
    Frame& frame = stack_.back();
    if (auto* array = frame.value.if_array()) {
      array->push_back(std::move(value));
    } else if (!frame.has_key) {
      frame.key = key_text(mark, value);
      frame.has_key = true;
      frame.merging = merge;
    } else {
      frame.has_key = false;
      add_member(frame, mark, std::move(value));
    }
  }

  static void add_member(Frame& frame, const YAML::Mark& mark, json::value value) {
    if (frame.merging) {
      merge(frame, mark, value);
    } else if (!frame.value.get_object().emplace(frame.key, std::move(value)).second) {
      fail(mark, "key \"" + frame.key + "\" occurs twice");
    }
  }

  // A mapping, or a list of mappings of which earlier ones win.
  static void merge(Frame& frame, const YAML::Mark& mark, const json::value& value) {
    if (const auto* object = value.if_object()) {
      for (const auto& [key, member] : *object) frame.merged.emplace(key, member);
    } else if (const auto* array = value.if_array()) {
      for (const auto& item : *array) {
        if (!item.is_object()) fail(mark, "\"<<\" takes mappings");
        merge(frame, mark, item);
      }
    } else {
      fail(mark, "\"<<\" takes mappings");
    }
  }

  int document_start_ = -1;  // of the one before
  std::vector<json::value>& documents_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, json::value> anchors_;
  size_t copied_ = 0;
};

// Reads from text that outlives it, without a copy.
class TextBuffer : public std::streambuf {
 public:
  explicit TextBuffer(std::string_view text) {
    char* start = const_cast<char*>(text.data());  // never written: there is no output
    setg(start, start, start + text.size());
  }
};

}  // namespace

base::Result<std::vector<json::value>> parse_yaml(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && text[start] == '{') {
    if (auto value = parse_json(text)) return std::vector<json::value>{*std::move(value)};
  }
  if (const size_t bad = base::find_malformed_utf8(text); bad != std::string_view::npos)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("YAML: {}: the text is not UTF-8", text_position(text, bad)));
  // No YAML has one (YAML 1.2, 5.1), and yaml-cpp takes text with some for UTF-16 or UTF-32.
  if (const size_t bad = text.find('\0'); bad != std::string_view::npos)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("YAML: {}: a NUL character", text_position(text, bad)));
  if (const size_t bad = find_disputed_break(text); bad != std::string_view::npos)
    return base::fail(
        base::ErrorCode::invalid,
        fmt::format("YAML: {}: U+{:04X} ends the line for some readers of YAML and not for others: "
                    "write it as an escape, in double quotes",
                    text_position(text, bad),
                    static_cast<uint32_t>(special_character(text.substr(bad)).value())));
  std::vector<json::value> documents;
  try {
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    Builder builder(documents);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    // yaml-cpp has no position for what is missing at the end of the text.
    const bool at_end = error.msg.starts_with("end of");
    return base::fail(base::ErrorCode::invalid,
                      at_end ? fmt::format("YAML: at the end of the text: {}", error.msg)
                             : fmt::format("YAML: line {}, column {}: {}", error.mark.line + 1,
                                           error.mark.column + 1, error.msg));
  }
  return documents;
}

}  // namespace margay::api
