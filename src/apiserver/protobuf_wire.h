#pragma once

// Protocol Buffers on the wire: tags, varints and lengths, without any message's meaning.
// https://protobuf.dev/programming-guides/encoding/

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace margay::apiserver {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::varint;
  uint64_t integer = 0;    // of a number
  std::string_view bytes;  // of `bytes`
  // What an encoder writes that does not leave unset fields out.
  bool is_zero() const { return integer == 0 && bytes.empty(); }
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  // Nothing when the bytes are cut off, overlong, or of a wire type nobody uses any more (groups).
  std::optional<WireField> next();
  // The next of several numbers packed into one field.
  std::optional<uint64_t> varint();

 private:
  std::optional<uint64_t> fixed(size_t size);

  std::string_view rest_;
};

class WireWriter {
 public:
  void varint(uint32_t number, uint64_t value);
  void number(uint32_t number, double value);
  void bytes(uint32_t number, std::string_view value);
  void message(uint32_t number, const WireWriter& value) { bytes(number, value.out_); }
  const std::string& text() const { return out_; }
  std::string take() && { return std::move(out_); }

 private:
  void tag(uint32_t number, WireType type);
  void raw(uint64_t value);

  std::string out_;
};

}  // namespace margay::apiserver
