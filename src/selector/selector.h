#pragma once

// The selector language of Calico: which labels an item must have (docs/policy.md, "Selectors").
//
//   all()  has(k)  k == 'v'  k != 'v'  k in {'a','b'}  k not in {'a'}  k contains 's'
//   k starts with 's'  k ends with 's'  !x  x && y  x || y  (x)        empty means all()
//
// A Selector is an immutable value, cheap to copy, comparable by its canonical text.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::selector {

using Labels = std::map<std::string, std::string, std::less<>>;
// Looks a label up; null when the item does not have it. Valid until the labels change.
using LabelLookup = std::function<const std::string*(std::string_view key)>;

struct Node;  // the parsed form, selector/ast.h

class Selector {
 public:
  Selector();  // all()
  explicit Selector(std::shared_ptr<const Node> root);

  // Errors are `invalid`, and say the position and what was expected there.
  static base::Result<Selector> parse(std::string_view text);

  // Of what the language can say only (selector/parser.h, is_key() and is_value()): the text of
  // another might be that of a different selector.
  static Selector has(std::string key);
  static Selector equals(std::string key, std::string value);
  static Selector in(std::string key, std::vector<std::string> values);
  // All of them; none: all().
  static Selector all_of(const std::vector<Selector>& selectors);
  Selector operator!() const;
  Selector operator&&(const Selector& other) const;  // all() is neutral
  Selector operator||(const Selector& other) const;

  // The same test on keys with `prefix` before them ("pcns.").
  Selector with_key_prefix(std::string_view prefix) const;

  // `global()` matches nothing: conversions replace it by what it stands for in their place.
  bool matches(const Labels& labels) const;
  bool matches(const LabelLookup& labels) const;
  bool is_all() const;
  bool is_global() const;  // exactly global()

  // The canonical form; equal selectors print alike whatever their spacing and quotes.
  const std::string& text() const;
  // "s:" and the URL-safe base64, without padding, of the SHA-224 of "s:" + text(): Calico's ids.
  const std::string& id() const;
  const Node& root() const;

  bool operator==(const Selector& other) const { return text() == other.text(); }
  auto operator<=>(const Selector& other) const { return text() <=> other.text(); }

 private:
  struct Shared;
  std::shared_ptr<const Shared> shared_;
};

}  // namespace margay::selector
