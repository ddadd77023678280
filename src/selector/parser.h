#pragma once

// Text -> tree, in one pass from left to right, without backtracking.

#include <string_view>

#include "base/result.h"
#include "selector/ast.h"

namespace margay::selector {

// What is deeper than any selector a person writes, and shallower than any stack.
inline constexpr unsigned k_max_depth = 100;
// The longest label key the language knows (Kubernetes' own limit is 317).
inline constexpr size_t k_max_key_length = 512;

// Errors are `invalid`: "at position 4: expected an operator (==, ...), found \"b\"". Positions
// count bytes from 1.
base::Result<NodePtr> parse(std::string_view text);

}  // namespace margay::selector
