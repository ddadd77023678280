#pragma once

// For work in steps of which one that fails does not end the others.

#include "base/result.h"

namespace margay::base {

// All steps are tried whatever becomes of the others; the first error is told.
inline void keep_first(Result<>& first, Result<> next) {
  if (first && !next) first = std::move(next);
}

// For removals: what is gone already needs none.
inline Result<> unless_missing(Result<> result) {
  if (!result && result.error().code == ErrorCode::not_found) return {};
  return result;
}

}  // namespace margay::base
