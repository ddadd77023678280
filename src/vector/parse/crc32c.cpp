#include "vector/parse/crc32c.h"

#include <array>

#include "vector/parse/bytes.h"

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace margay::vector {

#ifdef __SSE4_2__

uint32_t crc32c_update(uint32_t crc, const uint8_t* bytes, size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; bytes += 8, count -= 8) wide = _mm_crc32_u64(wide, load<uint64_t>(bytes));
  crc = static_cast<uint32_t>(wide);
  for (; count != 0; ++bytes, --count) crc = _mm_crc32_u8(crc, *bytes);
  return crc;
}

#else

namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto k_table = make_table();

}  // namespace

uint32_t crc32c_update(uint32_t crc, const uint8_t* bytes, size_t count) {
  for (; count != 0; ++bytes, --count) crc = (crc >> 8) ^ k_table[(crc ^ *bytes) & 0xff];
  return crc;
}

#endif

uint32_t sctp_crc(const uint8_t* packet, size_t bytes) {
  constexpr std::array<uint8_t, 4> k_no_checksum{};
  uint32_t crc = crc32c_update(~uint32_t{0}, packet, 8);
  crc = crc32c_update(crc, k_no_checksum.data(), 4);
  return ~crc32c_update(crc, packet + 12, bytes - 12);
}

uint32_t crc32c_of_first_word(uint32_t difference, size_t bytes) {
  constexpr std::array<uint8_t, 256> k_zeroes{};
  std::array<uint8_t, 4> word;
  store(word.data(), difference);
  uint32_t crc = crc32c_update(0, word.data(), word.size());
  for (bytes -= word.size(); bytes > k_zeroes.size(); bytes -= k_zeroes.size())
    crc = crc32c_update(crc, k_zeroes.data(), k_zeroes.size());
  return crc32c_update(crc, k_zeroes.data(), bytes);
}

}  // namespace margay::vector
