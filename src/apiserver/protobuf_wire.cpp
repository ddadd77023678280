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

}  // namespace margay::apiserver
