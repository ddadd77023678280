#include "apiserver/names.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>

namespace margay::apiserver {
namespace {

template <size_t size>
std::array<unsigned char, size> random_bytes() {
  std::array<unsigned char, size> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(size)) != 1)
    throw std::runtime_error("the system has no randomness");
  return bytes;
}

}  // namespace

std::string new_uid() {
  auto bytes = random_bytes<16>();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);  // RFC 9562's variant
  std::string out;
  out.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    fmt::format_to(std::back_inserter(out), "{:02x}", bytes[i]);
  }
  return out;
}

std::string generate_name(std::string_view prefix) {
  // No vowels and nothing that looks alike, so that no name is a word or misread.
  constexpr std::string_view k_letters = "bcdfghjklmnpqrstvwxz2456789";
  constexpr size_t k_suffix = 5;
  constexpr size_t k_longest = 63;
  std::string out(prefix.substr(0, k_longest - k_suffix));
  for (const auto byte : random_bytes<k_suffix>()) out += k_letters[byte % k_letters.size()];
  return out;
}

}  // namespace margay::apiserver
