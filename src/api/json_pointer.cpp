#include "api/json_pointer.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace margay::api {

namespace {

std::unexpected<base::Error> no_such(const std::string& pointer) {
  return base::fail(base::ErrorCode::invalid, "path \"" + pointer + "\" does not exist");
}

base::Result<std::string> unescape(std::string_view token) {
  std::string plain;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      plain += token[i];
      continue;
    }
    const char next = i + 1 < token.size() ? token[++i] : '\0';
    if (next != '0' && next != '1')
      return base::fail(base::ErrorCode::invalid,
                        "\"~\" in a path must be written \"~0\", and \"/\" within a name \"~1\"");
    plain += next == '0' ? '~' : '/';
  }
  return plain;
}

// An array index: digits without leading zeros, at most `limit`.
std::optional<size_t> index_of(const std::string& token, size_t limit) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool canonical = token.size() == 1 || (!token.empty() && token.front() != '0');
  if (!canonical || error != std::errc() || end != token.data() + token.size()) return {};
  if (index > limit) return {};
  return index;
}

}  // namespace

base::Result<JsonPointer> JsonPointer::parse(std::string_view text) {
  JsonPointer pointer;
  pointer.text_ = text;
  if (text.empty()) return pointer;
  if (text.front() != '/')
    return base::fail(base::ErrorCode::invalid,
                      "path \"" + pointer.text_ + "\" must be empty or begin with \"/\"");
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view token = text.substr(0, text.find('/'));
    MARGAY_TRY(auto plain, unescape(token));
    pointer.tokens_.push_back(std::move(plain));
    text.remove_prefix(token.size());
  }
  return pointer;
}

bool JsonPointer::is_within(const JsonPointer& ancestor) const {
  return tokens_.size() > ancestor.tokens_.size() &&
         std::equal(ancestor.tokens_.begin(), ancestor.tokens_.end(), tokens_.begin());
}

base::Result<json::value*> JsonPointer::step(json::value& from, const std::string& token) const {
  if (auto* object = from.if_object()) {
    if (auto* member = object->if_contains(token)) return member;
  } else if (auto* array = from.if_array(); array != nullptr && !array->empty()) {
    if (const auto index = index_of(token, array->size() - 1)) return &(*array)[*index];
  }
  return no_such(text_);
}

base::Result<json::value*> JsonPointer::parent(json::value& document) const {
  json::value* at = &document;
  for (size_t i = 0; i + 1 < tokens_.size(); ++i) {
    MARGAY_TRY(at, step(*at, tokens_[i]));
  }
  return at;
}

// Walking changes nothing; it shares the code of those operations that do.
base::Result<const json::value*> JsonPointer::holder(const json::value& document) const {
  if (is_root()) return nullptr;
  MARGAY_TRY(const json::value* const found, parent(const_cast<json::value&>(document)));
  return found;
}

base::Result<const json::value*> JsonPointer::find(const json::value& document) const {
  if (is_root()) return &document;
  MARGAY_TRY(json::value* const found, parent(const_cast<json::value&>(document)));
  MARGAY_TRY(const json::value* const value, step(*found, tokens_.back()));
  return value;
}

base::Result<> JsonPointer::add(json::value& document, json::value value) const {
  if (is_root()) {
    document = std::move(value);
    return {};
  }
  MARGAY_TRY(json::value* const holder, parent(document));
  const std::string& token = tokens_.back();
  if (auto* object = holder->if_object()) {
    (*object)[token] = std::move(value);
    return {};
  }
  auto* array = holder->if_array();
  if (array == nullptr) return no_such(text_);
  const auto index = token == "-" ? array->size() : index_of(token, array->size());
  if (!index) return no_such(text_);
  array->insert(array->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return {};
}

base::Result<> JsonPointer::remove(json::value& document) const {
  if (is_root()) {
    document = nullptr;
    return {};
  }
  MARGAY_TRY(json::value* const holder, parent(document));
  MARGAY_CHECK(step(*holder, tokens_.back()));
  if (auto* object = holder->if_object()) {
    object->erase(tokens_.back());
  } else {
    auto& array = holder->get_array();
    const auto index = index_of(tokens_.back(), array.size());
    array.erase(array.begin() + static_cast<std::ptrdiff_t>(*index));
  }
  return {};
}

base::Result<> JsonPointer::replace(json::value& document, json::value value) const {
  if (is_root()) {
    document = std::move(value);
    return {};
  }
  MARGAY_TRY(json::value* const holder, parent(document));
  MARGAY_TRY(json::value* const found, step(*holder, tokens_.back()));
  *found = std::move(value);
  return {};
}

}  // namespace margay::api
