#pragma once

// Small blocks of memory named by 32-bit numbers, for structures whose links are numbers instead of
// pointers. All blocks lie in one mapping, on huge pages where there are any, and never move.
// A block of up to 64 bytes does not cross a cache line, a larger one begins with one.
//
// Freed blocks are kept for blocks of their size; when the last one is freed, everything goes back
// to the kernel. One thread allocates and frees; a block's readers are the caller's affair.

#include <array>
#include <cstddef>
#include <cstdint>

#include "vector/mapping.h"

namespace margay::vector {

class BlockPool {
 public:
  static constexpr size_t k_unit = 16, k_line = 64, k_largest = 320;

  explicit BlockPool(size_t capacity_bytes);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // At most `k_largest` bytes, not initialised. Never 0, and less than capacity / k_unit.
  // Throws std::bad_alloc when the capacity is used up.
  uint32_t allocate(size_t bytes);
  void free(uint32_t block, size_t bytes);

  template <typename T = void>
  T* at(uint32_t block) const {
    return reinterpret_cast<T*>(base_ + size_t{block} * k_unit);
  }
  // Bytes ever used since the pool was last empty.
  size_t memory() const { return top_ - k_line; }

 private:
  static size_t size_class(size_t bytes);
  static size_t class_bytes(size_t index);
  uint32_t carve(size_t index);
  void start_over();

  static constexpr size_t k_classes = 2 + k_largest / k_line;

  Mapping memory_;
  char* base_ = nullptr;
  size_t top_ = k_line;  // the first line stays unused: no block is number 0
  size_t live_ = 0;
  std::array<uint32_t, k_classes> free_{};  // heads of lists through the blocks' first bytes
};

}  // namespace margay::vector
