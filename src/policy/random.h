#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace margay::policy {

// Seeded choices that are the same on every machine (std::uniform_int_distribution is not).
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // In [0, bound); bound > 0. Near enough to uniform for small bounds.
  size_t below(size_t bound) { return static_cast<size_t>(engine_() % bound); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T>
  const T& pick(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  // One to `most` values, possibly repeated ones left out.
  template <typename T>
  std::vector<T> some(const std::vector<T>& values, size_t most) {
    std::vector<T> chosen;
    for (size_t left = 1 + below(most); left > 0; --left) {
      const T& value = pick(values);
      if (std::find(chosen.begin(), chosen.end(), value) == chosen.end()) chosen.push_back(value);
    }
    return chosen;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace margay::policy
