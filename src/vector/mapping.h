#pragma once

// Memory for large tables: reserved address space that is filled with zero pages as it is touched,
// so that a table can grow in place up to its limit and never moves under a reader. Asks for
// transparent huge pages, and works without.

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

 private:
  Mapping memory_;
  size_t capacity_ = 0;
};

}  // namespace margay::vector
