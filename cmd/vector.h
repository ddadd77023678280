#pragma once

// `margay vector`: the vector engine is a program of its own, margay-vector, beside this one. On
// x86-64 there is also one for each newer level of the instruction set; the best that the CPU can
// run, and that is there, takes the arguments over. MARGAY_VECTOR_ISA=v2|v3|v4 chooses another.

#include <CLI/CLI.hpp>

namespace margay {

void add_vector_command(CLI::App& app, int& status);

}  // namespace margay
