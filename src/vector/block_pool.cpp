#include "vector/block_pool.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <new>

namespace margay::vector {
namespace {

// Less than this is not worth a system call.
constexpr size_t k_kept_when_empty = size_t{2} << 20;

}  // namespace

BlockPool::BlockPool(size_t capacity_bytes)
    : memory_(capacity_bytes), base_(static_cast<char*>(memory_.address())) {}

BlockPool::~BlockPool() { ASAN_UNPOISON_MEMORY_REGION(base_, top_); }

size_t BlockPool::size_class(size_t bytes) {
  if (bytes <= 16) return 0;
  if (bytes <= 32) return 1;
  return 1 + (bytes + k_line - 1) / k_line;
}

size_t BlockPool::class_bytes(size_t index) {
  return index < 2 ? k_unit << index : (index - 1) * k_line;
}

uint32_t BlockPool::allocate(size_t bytes) {
  const size_t index = size_class(bytes);
  uint32_t block = free_[index];
  if (block != 0) {
    ASAN_UNPOISON_MEMORY_REGION(at(block), class_bytes(index));
    free_[index] = *at<uint32_t>(block);
  } else {
    block = carve(index);
  }
  ++live_;
  return block;
}

// Takes new memory by whole lines; small blocks share one.
uint32_t BlockPool::carve(size_t index) {
  const size_t bytes = class_bytes(index);
  const size_t taken = bytes < k_line ? k_line : bytes;
  if (top_ + taken > memory_.bytes()) throw std::bad_alloc();
  const size_t start = top_;
  top_ += taken;
  for (size_t other = start + bytes; other < start + taken; other += bytes) {
    const auto block = static_cast<uint32_t>(other / k_unit);
    *at<uint32_t>(block) = free_[index];
    free_[index] = block;
    ASAN_POISON_MEMORY_REGION(at(block), bytes);
  }
  return static_cast<uint32_t>(start / k_unit);
}

void BlockPool::free(uint32_t block, size_t bytes) {
  const size_t index = size_class(bytes);
  *at<uint32_t>(block) = free_[index];
  free_[index] = block;
  ASAN_POISON_MEMORY_REGION(at(block), class_bytes(index));
  if (--live_ == 0) start_over();
}

void BlockPool::start_over() {
  ASAN_UNPOISON_MEMORY_REGION(base_, top_);
  if (top_ > k_kept_when_empty) madvise(base_, top_, MADV_DONTNEED);
  top_ = k_line;
  free_.fill(0);
}

}  // namespace margay::vector
