#pragma once

// The server's own certificate authority and the certificates it signs: X.509 (RFC 5280), P-256
// keys, PEM text. Pure functions; files are state_dir.h's concern.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace margay::apiserver {

struct KeyPair {
  std::string certificate;  // PEM
  std::string key;          // PEM, PKCS #8
  bool operator==(const KeyPair&) const = default;
};

struct CertificateRequest {
  enum class Usage { server, client };
  Usage usage = Usage::client;
  std::string common_name;                 // a client's user
  std::vector<std::string> organizations;  // a client's groups
  std::vector<std::string> names;          // a server's DNS names and addresses
};

inline constexpr std::chrono::hours k_authority_lifetime{24 * 365 * 10};
inline constexpr std::chrono::hours k_certificate_lifetime{24 * 365};
// Certificates are renewed when less than this is left.
inline constexpr std::chrono::hours k_renewal_margin{24 * 30};

base::Result<KeyPair> make_authority(std::string_view common_name, base::Clock::Wall now);
base::Result<KeyPair> sign_certificate(const KeyPair& authority, const CertificateRequest& request,
                                       base::Clock::Wall now);

// Whether `pair` is a matching certificate and key, signed by `authority` (itself, for an
// authority), still valid for longer than the renewal margin, and (servers) good for every name.
bool is_usable(const KeyPair& pair, std::string_view authority_certificate,
               const std::vector<std::string>& names, base::Clock::Wall now);

// 256 random bits in hexadecimal.
std::string new_token();

}  // namespace margay::apiserver
