#include "apiserver/protobuf_wire.h"

#include <bit>
#include <limits>

namespace margay::apiserver {

std::optional<uint64_t> WireReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<uint64_t> WireReader::fixed(size_t size) {
  if (rest_.size() < size) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(rest_[i]);
  rest_.remove_prefix(size);
  return value;
}

std::optional<WireField> WireReader::next() {
  const auto tag = varint();
  if (!tag || *tag >> 3 == 0 || *tag > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  WireField field{.number = static_cast<uint32_t>(*tag >> 3),
                  .type = static_cast<WireType>(*tag & 7)};
  std::optional<uint64_t> value;
  switch (field.type) {
    case WireType::varint:
    case WireType::bytes:
      value = varint();
      break;
    case WireType::fixed64:
      value = fixed(8);
      break;
    case WireType::fixed32:
      value = fixed(4);
      break;
  }
  if (!value) return std::nullopt;
  if (field.type != WireType::bytes) {
    field.integer = *value;
    return field;
  }
  if (*value > rest_.size()) return std::nullopt;
  field.bytes = rest_.substr(0, *value);
  rest_.remove_prefix(*value);
  return field;
}

void WireWriter::tag(uint32_t number, WireType type) {
  raw(uint64_t{number} << 3 | static_cast<uint64_t>(type));
}

void WireWriter::raw(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
  out_ += static_cast<char>(value);
}

void WireWriter::varint(uint32_t number, uint64_t value) {
  tag(number, WireType::varint);
  raw(value);
}

void WireWriter::number(uint32_t number, double value) {
  tag(number, WireType::fixed64);
  const auto bits = std::bit_cast<uint64_t>(value);
  for (unsigned i = 0; i < 8; ++i) out_ += static_cast<char>(bits >> (8 * i));
}

void WireWriter::bytes(uint32_t number, std::string_view value) {
  tag(number, WireType::bytes);
  raw(value.size());
  out_ += value;
}

namespace {

// How many bytes a sequence has by its first; 0 for a byte that begins none.
size_t sequence_size(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

// Three and four bytes have forms of their own for what fewer can say, for surrogates, and for what
// is beyond U+10FFFF; all show in the second byte.
bool second_byte_fits(unsigned char first, unsigned char second) {
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second < 0xa0;
  if (first == 0xf0) return second >= 0x90;
  return first != 0xf4 || second < 0x90;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const auto size = sequence_size(at(i));
    if (size == 0 || size > text.size() - i) return false;
    if (size > 1 && !second_byte_fits(at(i), at(i + 1))) return false;
    for (size_t j = 1; j < size; ++j)
      if ((at(i + j) & 0xc0) != 0x80) return false;
    i += size;
  }
  return true;
}

}  // namespace margay::apiserver
