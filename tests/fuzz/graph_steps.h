#pragma once

// The language of the graph's corpus (make_corpus writes it): an input is a sequence of steps that
// a GraphWorld goes through.

#include <cstdint>
#include <span>

namespace margay::fuzz {

// Ends the process with a message when something does not hold.
void run_graph(std::span<const uint8_t> input);

}  // namespace margay::fuzz
