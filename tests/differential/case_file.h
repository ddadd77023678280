#pragma once

// A failing case as a JSON file: the model that shows it, the packet, and what must become of it.
// Kept in tests/regress and judged again by every run.

#include <string>
#include <vector>

#include "base/result.h"
#include "differential/trial.h"

namespace margay::differential {

std::string to_json(const Mismatch& mismatch);
base::Result<Mismatch> from_json(std::string_view text);

base::Result<> write_case(const std::string& path, const Mismatch& mismatch);
// Every .json file of the folder, by name; none when there is no such folder.
base::Result<std::vector<std::pair<std::string, Mismatch>>> read_cases(const std::string& folder);

}  // namespace margay::differential
