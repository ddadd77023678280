// What must hold for the whole engine, whatever comes in and whatever is configured (libFuzzer).

#include "graph_steps.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  margay::fuzz::run_graph({bytes, size});
  return 0;
}
