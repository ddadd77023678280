#include "apiserver/base64.h"

#include <openssl/evp.h>

namespace margay::apiserver {

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the terminator OpenSSL writes
  const auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                    reinterpret_cast<const unsigned char*>(bytes.data()),
                                    static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string whole(text);
  std::erase_if(whole, [](char c) { return c == '\n' || c == '\r'; });
  const auto padding = whole.size() - (whole.find_last_not_of('=') + 1);
  if (whole.size() % 4 != 0 || padding > 2) return std::nullopt;
  std::string out(whole.size() / 4 * 3, '\0');
  const auto size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                    reinterpret_cast<const unsigned char*>(whole.data()),
                                    static_cast<int>(whole.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

}  // namespace margay::apiserver
