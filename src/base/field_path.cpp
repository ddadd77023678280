#include "base/field_path.h"

namespace margay::base {

std::string FieldPath::text() const {
  std::string text = parent_ == nullptr ? std::string() : parent_->text();
  switch (step_) {
    case Step::document:
      break;
    case Step::field:
      if (!text.empty()) text += '.';
      text += name_;
      break;
    case Step::item:
      text.append(1, '[').append(std::to_string(index_)).append(1, ']');
      break;
    case Step::key:
      text.append(1, '[').append(name_).append(1, ']');
      break;
  }
  return text;
}

}  // namespace margay::base
