#include "vector/mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace margay::vector {
namespace {

constexpr size_t k_huge_page = size_t{2} << 20;
constexpr size_t k_most_ahead = size_t{8} << 20;

}  // namespace

Mapping::Mapping(size_t bytes) : bytes_((bytes + k_huge_page - 1) & ~(k_huge_page - 1)) {
  // Huge pages need huge alignment: reserve one more, and give the edges back.
  const size_t reserved = bytes_ + k_huge_page;
  void* start = mmap(nullptr, reserved, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  auto* bytes_at = static_cast<char*>(start);
  const size_t before = (k_huge_page - reinterpret_cast<size_t>(start) % k_huge_page) % k_huge_page;
  if (before != 0) munmap(bytes_at, before);
  munmap(bytes_at + before + bytes_, k_huge_page - before);
  address_ = bytes_at + before;
  madvise(address_, bytes_, MADV_HUGEPAGE);  // refused where the kernel has none: then without
}

Mapping::~Mapping() {
  if (address_) munmap(address_, bytes_);
}

void Mapping::clear() { madvise(address_, bytes_, MADV_DONTNEED); }

void Mapping::populate(size_t from, size_t to) const {
#ifdef MADV_POPULATE_WRITE  // Linux 5.14
  to = std::min(to, bytes_);
  if (from < to) madvise(static_cast<char*>(address_) + from, to - from, MADV_POPULATE_WRITE);
#endif
}

// As much ahead as is in use, up to a bound: a small table stays small.
void Frontier::populate(const Mapping& mapping) {
  const size_t reached = reached_.load(std::memory_order_relaxed);
  const size_t wanted = (reached + std::min(reached, k_most_ahead)) & ~(k_huge_page - 1);
  if (wanted > ready_) mapping.populate(std::max(ready_, reached & ~(k_huge_page - 1)), wanted);
  ready_ = wanted;
}

}  // namespace margay::vector
