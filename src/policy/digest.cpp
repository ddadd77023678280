#include "policy/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace margay::policy {

std::string digest(std::string_view text, size_t length) {
  std::array<unsigned char, 32> hash{};
  if (EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("the cryptographic library has no SHA-256");
  std::array<unsigned char, 45> base64{};  // 44 characters and a final zero
  EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(hash.size()));
  std::string name(base64.begin(),
                   base64.begin() + static_cast<ptrdiff_t>(std::min<size_t>(length, 43)));
  std::ranges::replace(name, '+', '-');
  std::ranges::replace(name, '/', '_');
  return name;
}

}  // namespace margay::policy
