#pragma once

// Memory for large tables: reserved address space that is filled with zero pages as it is touched,
// so that a table can grow in place up to its limit and never moves under a reader. Asks for
// transparent huge pages, and works without.

#include <atomic>
#include <cstddef>
#include <utility>

namespace margay::vector {

class Mapping {
 public:
  Mapping() = default;
  // Throws std::bad_alloc when the address space is not to be had.
  explicit Mapping(size_t bytes);
  ~Mapping();
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  // Everything is zero again, and the memory the kernel's.
  void clear();
  // Any thread. Has the kernel give the memory from one place to another now, not when it is
  // touched; an effort, nothing more.
  void populate(size_t from, size_t to) const;

  void* address() const { return address_; }
  size_t bytes() const { return bytes_; }

 private:
  void* address_ = nullptr;
  size_t bytes_ = 0;
};

// `capacity` zero-initialised elements; `T` must be fine with that, and trivially destructible.
template <typename T>
class MappedArray {
 public:
  MappedArray() = default;
  explicit MappedArray(size_t capacity) : memory_(capacity * sizeof(T)), capacity_(capacity) {}

  T* data() const { return static_cast<T*>(memory_.address()); }
  T& operator[](size_t index) const { return data()[index]; }
  size_t capacity() const { return capacity_; }
  void clear() { memory_.clear(); }
  const Mapping& memory() const { return memory_; }

 private:
  Mapping memory_;
  size_t capacity_ = 0;
};

// How far one thread has filled a mapping from its beginning, for another to have memory ready
// ahead: the first touch of a huge page takes as long as hundreds of packets, and that of memory
// which a hypervisor has to find takes ten times as long again.
class Frontier {
 public:
  // The thread that fills.
  void reach(size_t bytes) { reached_.store(bytes, std::memory_order_relaxed); }
  // One other thread, every few milliseconds.
  void populate(const Mapping& mapping);

 private:
  std::atomic<size_t> reached_ = 0;
  size_t ready_ = 0;
};

}  // namespace margay::vector
