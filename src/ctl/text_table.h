#pragma once

// Rows of cells as lines of text, in the two styles that calicoctl has. Control characters, which
// others may have written, are shown as escapes.

#include <string>
#include <vector>

namespace margay::ctl {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell and three blanks, at least five characters; the last is
// padded too.
std::string aligned_table(std::vector<Row> rows);

// In a frame, the heading centred, numbers to the right.
std::string framed_table(const Row& heading, std::vector<Row> rows);

}  // namespace margay::ctl
