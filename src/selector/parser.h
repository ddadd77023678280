#pragma once

// Text -> tree, in one pass from left to right, without backtracking. What is a selector and what
// is none is Calico's decision, down to the white space: tests/peers asks its own parser. Between
// the words of the language stand spaces and tabs; within has( ), all( ), global( ), `not in`,
// `starts with` and `ends with` line ends may stand as well.

#include <string_view>

#include "base/result.h"
#include "selector/ast.h"

namespace margay::selector {

// What is deeper than any selector a person writes, and shallower than any stack. (Calico's parser
// has no limit but its stack's.)
inline constexpr unsigned k_max_depth = 500;
// The longest label key the language knows (Kubernetes' own limit is 317). A key of this length
// ends there, whatever follows: an operator may stand directly behind it.
inline constexpr size_t k_max_key_length = 512;

// Whether the language can say them: a label's key; and a value, which holds at most one of the two
// kinds of quotes.
bool is_key(std::string_view text);
bool is_value(std::string_view text);

// Errors are `invalid`: "at position 4: expected an operator (==, ...), found \"b\"". Positions
// count bytes from 1.
base::Result<NodePtr> parse(std::string_view text);

}  // namespace margay::selector
