#pragma once

// CRC32c as SCTP has it (RFC 9260 section 6.8 and appendix A).

#include <cstddef>
#include <cstdint>

namespace margay::vector {

// The bare register, without inversion before and after: crc32c(x) == ~update(~0, x).
uint32_t crc32c_update(uint32_t crc, const uint8_t* bytes, size_t count);

// The CRC of a whole SCTP packet, in host order of the little-endian field at offset 8, which
// counts as zero. At least 12 bytes.
uint32_t sctp_crc(const uint8_t* packet, size_t bytes);

// By what the CRC of `bytes` bytes changes (exclusive or) when the first four, a word in memory's
// order, change by `difference`: a CRC is linear. A packet whose CRC was wrong keeps a wrong one.
uint32_t crc32c_of_first_word(uint32_t difference, size_t bytes);

}  // namespace margay::vector
