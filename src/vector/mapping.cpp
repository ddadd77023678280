#include "vector/mapping.h"

#include <sys/mman.h>

#include <new>

namespace margay::vector {
namespace {

constexpr size_t k_huge_page = size_t{2} << 20;

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

}  // namespace margay::vector
