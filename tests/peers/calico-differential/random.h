#pragma once

// Chance, from a seed: the same seed gives the same questions.

#include <cstdint>
#include <random>
#include <vector>

namespace margay::peers {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // 0 to `limit` - 1; `limit` is not 0.
  size_t below(size_t limit) { return static_cast<size_t>(engine_() % limit); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[below(values.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace margay::peers
