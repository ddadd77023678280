// Compiled once for each target, with MARGAY_FUZZ_TARGET its name.

#include <cstddef>
#include <cstdint>

#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  margay::fuzz::MARGAY_FUZZ_TARGET({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
