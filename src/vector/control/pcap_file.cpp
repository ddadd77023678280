#include "vector/control/pcap_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

namespace margay::vector {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint64_t k_billion = 1'000'000'000;
constexpr uint32_t k_nanosecond_magic = 0xa1b23c4d;
constexpr uint32_t k_snap_length = 65535;
constexpr uint32_t k_link_type_ethernet = 1;

struct FileHeader {
  uint32_t magic = k_nanosecond_magic;
  uint16_t major = 2, minor = 4;
  uint32_t reserved[2] = {};
  uint32_t snap_length = k_snap_length;
  uint32_t link_type = k_link_type_ethernet;
};
struct PacketHeader {
  uint32_t seconds, nanoseconds, captured, original;
};
static_assert(sizeof(FileHeader) == 24 && sizeof(PacketHeader) == 16);

Result<std::vector<char>> bytes_of(std::string_view hex) {
  std::vector<char> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    uint8_t byte = 0;
    if (std::from_chars(&hex[i], &hex[i] + 2, byte, 16).ptr != &hex[i] + 2)
      return fail(ErrorCode::internal, "a captured packet is not in hex");
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

template <typename Struct>
void write(std::ofstream& file, const Struct& what) {
  file.write(reinterpret_cast<const char*>(&what), sizeof(what));
}

}  // namespace

Result<> write_pcap(const std::string& path, const json::array& packets) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  write(file, FileHeader{});
  for (const auto& packet : packets) {
    MARGAY_TRY(const auto bytes, bytes_of(packet.at("frame").as_string()));
    const auto ns = packet.at("ns").to_number<uint64_t>();
    const auto length = static_cast<uint32_t>(bytes.size());
    write(file, PacketHeader{static_cast<uint32_t>(ns / k_billion),
                             static_cast<uint32_t>(ns % k_billion), length, length});
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  file.flush();
  if (!file) return base::fail_errno(fmt::format("write {}", path), errno ? errno : EIO);
  return {};
}

}  // namespace margay::vector
