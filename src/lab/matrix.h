#pragma once

// The outcomes of a probe for people (an aligned table) and for programs (JSON). Pure functions.

#include <span>
#include <string>
#include <vector>

#include "lab/probe.h"

namespace margay::lab {

// One table a port description: rows connect to columns. A cell speaks for all addresses and ports
// that were tried between the two; where they differ it says what passed:
//   ✓ all answered   ✗ none did   4, 6 only IPv4, only IPv6   ~ some ports   ! an error, told below
std::string matrix_text(std::span<const Outcome> outcomes);

// [{"from","to","protocol","port","ip","family","result"}], and "detail" with an error; one object
// a line.
std::string matrix_json(std::span<const Outcome> outcomes);

}  // namespace margay::lab
