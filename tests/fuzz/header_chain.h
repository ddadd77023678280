#pragma once

// Turns a fuzzer's bytes into packets that get past the first checks: a byte chooses a header, the
// next ones its fields. Every input means something, and small changes of it mean small changes of
// the packets. make_corpus writes the same language.

#include <cstdint>
#include <span>
#include <vector>

namespace margay::fuzz {

class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  uint8_t next();  // 0 at the end
  uint16_t next16();
  std::span<const uint8_t> take(size_t count);  // as many as there are

 private:
  std::span<const uint8_t> bytes_;
};

struct Packet {
  std::vector<uint8_t> bytes;
  uint16_t l3_offset = 0;
  uint8_t family = 4;
  uint16_t after_ms = 0;  // since the one before
};

// The next packet of the input: raw bytes, or a chain of headers.
Packet next_packet(Cursor& cursor);

}  // namespace margay::fuzz
