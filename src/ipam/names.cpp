#include "ipam/names.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace margay::ipam {
namespace {

constexpr size_t k_longest_name = 253;  // RFC 1123, as Kubernetes reads it
constexpr size_t k_never_cut = 200;     // of a host's name, to leave room for a block's
constexpr size_t k_hash_digits = 11;

std::string sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base::hex(digest);
}

}  // namespace

std::string block_name(const base::Prefix& block) {
  std::string name = block.to_string();
  std::ranges::replace_if(name, [](char c) { return c == '.' || c == ':' || c == '/'; }, '-');
  return name;
}

std::string affinity_name(std::string_view host, const base::Prefix& block) {
  const std::string end = block_name(block);
  const std::string name = fmt::format("{}-{}", host, end);
  if (name.size() < k_longest_name) return name;
  const std::string hash = sha256(fmt::format("{}+{}", host, end)).substr(0, k_hash_digits);
  const size_t kept = k_longest_name - 1 - end.size() - hash.size() - 2;
  return fmt::format("{}-{}-{}", host.substr(0, kept), end, hash);
}

std::string affinity_prefix(std::string_view host) {
  return host.size() <= k_never_cut ? fmt::format("{}-", host)
                                    : std::string(host.substr(0, k_never_cut));
}

std::vector<std::string> handle_names(std::string_view handle_id) {
  std::string name(handle_id);
  bool is_name = !name.empty() && name.size() <= k_longest_name;
  char before = '.';
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    // Each part between dots begins and ends with a letter or digit (RFC 1123).
    is_name &= plain || (c == '-' && before != '.') || (c == '.' && before != '.' && before != '-');
    if (!plain && c != '.') c = '-';
    before = c;
  }
  is_name &= before != '.' && before != '-';
  std::vector<std::string> names;
  if (is_name) names.push_back(name);
  // What is before the hash is for people; it has no dots that a part could end at.
  std::ranges::replace(name, '.', '-');
  names.push_back(fmt::format("h{}-{}", name.substr(0, k_never_cut),
                              sha256(handle_id).substr(0, 2 * k_hash_digits)));
  return names;
}

}  // namespace margay::ipam
