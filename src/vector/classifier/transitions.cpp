#include "vector/classifier/transitions.h"

#include <new>

namespace margay::vector {

uint32_t Transitions::add(uint32_t before, uint32_t after, uint64_t generation) {
  uint32_t index = used_;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (used_ == k_capacity) throw std::bad_alloc();
    ++used_;
  }
  table_[index] = {before, after, generation};
  return index | k_transition;
}

}  // namespace margay::vector
