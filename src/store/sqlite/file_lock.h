#pragma once

// Keeps a store to one process: an flock(2) on "<path>.lock", which the kernel drops when the
// process ends in whatever way.

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::store::sqlite {

// Holds the lock as long as the descriptor is open. Taken already: `unavailable`, with the
// holder's process id.
base::Result<base::UniqueFd> lock_file(const std::string& path);

}  // namespace margay::store::sqlite
