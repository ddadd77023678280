#pragma once

// Selectors: well formed ones from the grammar, with every spacing, and such with a few bytes
// changed.

#include <string>

#include "random.h"

namespace margay::peers {

class SelectorSource {
 public:
  explicit SelectorSource(Random& random) : random_(random) {}

  std::string next();

 private:
  std::string expression(int depth);
  std::string operation(int depth);
  std::string test();
  std::string key();
  std::string value();
  std::string space(bool any_kind);
  void damage(std::string& text);

  Random& random_;
};

}  // namespace margay::peers
