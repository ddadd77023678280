#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace margay::base {

// A place in a document, "spec.ports[2].name" or "users[admin].token", as a chain of steps up to
// the document: deriving one allocates nothing, and the text is put together only for somebody who
// is told of an error. What a step was derived from, and its name, outlive it.
class FieldPath {
 public:
  FieldPath() = default;  // the document itself

  FieldPath field(std::string_view name) const { return {this, Step::field, name, 0}; }
  FieldPath item(size_t index) const { return {this, Step::item, {}, index}; }
  FieldPath key(std::string_view key) const { return {this, Step::key, key, 0}; }

  std::string text() const;  // empty: the document itself

 private:
  enum class Step { document, field, item, key };
  FieldPath(const FieldPath* parent, Step step, std::string_view name, size_t index)
      : parent_(parent), step_(step), name_(name), index_(index) {}

  const FieldPath* parent_ = nullptr;
  Step step_ = Step::document;
  std::string_view name_;
  size_t index_ = 0;
};

}  // namespace margay::base
