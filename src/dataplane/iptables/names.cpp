#include "dataplane/iptables/names.h"

#include <openssl/evp.h>

#include <array>

namespace margay::dataplane::iptables {
namespace {

constexpr size_t k_chain_length = 28;
constexpr size_t k_set_length = 31;

std::string base64url(const unsigned char* bytes, unsigned count) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0, held = 0;
  for (unsigned i = 0; i < count; ++i) {
    held = held << 8 | bytes[i];
    for (bits += 8; bits >= 6; bits -= 6) out += alphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) out += alphabet[held << (6 - bits) & 63];
  return out;
}

// The name itself where it fits and cannot be taken for a hash; else "_" and as much of its hash
// as fits.
std::string limited(std::string_view prefix, std::string_view name) {
  std::string whole = std::string(prefix).append(name);
  if (whole.size() <= k_chain_length && !name.starts_with('_')) return whole;
  whole = std::string(prefix).append("_").append(digest(name));
  whole.resize(k_chain_length);
  return whole;
}

}  // namespace

std::string digest(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned count = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &count, EVP_sha224(), nullptr);
  return base64url(bytes.data(), count);
}

std::string policy_chain(Direction direction, const policy::PolicyKey& key) {
  const std::string_view prefix = direction == Direction::ingress ? "cali-pi-" : "cali-po-";
  std::string chain = std::string(prefix).append("_").append(digest(key.tier + "/" + key.id()));
  chain.resize(k_chain_length);
  return chain;
}

std::string profile_chain(Direction direction, std::string_view profile) {
  return limited(direction == Direction::ingress ? "cali-pri-" : "cali-pro-", profile);
}

std::string from_workload_chain(std::string_view interface_name) {
  return limited("cali-fw-", interface_name);
}

std::string to_workload_chain(std::string_view interface_name) {
  return limited("cali-tw-", interface_name);
}

std::string branch_chain(std::string_view dispatch, std::string_view characters) {
  return limited(std::string(dispatch) + "-", characters);
}

std::string set_prefix(IPFamily family) { return family == IPFamily::v4 ? "cali40" : "cali60"; }

std::string temporary_set_prefix(IPFamily family) {
  return family == IPFamily::v4 ? "cali4t" : "cali6t";
}

std::string set_name(IPFamily family, std::string_view id) {
  std::string name = set_prefix(family).append(id);
  if (name.size() > k_set_length) name.resize(k_set_length);
  return name;
}

}  // namespace margay::dataplane::iptables
