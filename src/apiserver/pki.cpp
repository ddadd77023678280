#include "apiserver/pki.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include "base/address.h"

namespace margay::apiserver {
namespace {

template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    free_function(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

// How long before its making a certificate is valid, for clients whose clocks are behind.
constexpr std::chrono::hours k_clock_tolerance{1};

std::unexpected<base::Error> fail_openssl(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return base::fail(base::ErrorCode::internal, fmt::format("{}: {}", what, text.data()));
}

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string take(const Bio& bio) {
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

Certificate read_certificate(std::string_view pem) {
  return Certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
}

Key read_key(std::string_view pem) {
  return Key(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, nullptr, nullptr));
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] &= 0x7f;  // positive (RFC 5280, 4.1.2.2)
  const std::unique_ptr<BIGNUM, Free<BN_free>> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, base::Clock::Wall now, std::chrono::hours lifetime) {
  const auto from = std::chrono::system_clock::to_time_t(now - k_clock_tolerance);
  const auto until = std::chrono::system_clock::to_time_t(now + lifetime);
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), until) != nullptr;
}

bool add_entry(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool set_subject(X509* certificate, const std::string& common_name,
                 const std::vector<std::string>& organizations) {
  auto* name = X509_get_subject_name(certificate);
  return std::ranges::all_of(organizations,
                             [&](const auto& value) { return add_entry(name, "O", value); }) &&
         add_entry(name, "CN", common_name);
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names)
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",",
                       base::IPAddress::parse(name) ? "IP" : "DNS", name);
  return out;
}

base::Result<KeyPair> finish(X509* certificate, EVP_PKEY* key, EVP_PKEY* signer) {
  if (X509_sign(certificate, signer, EVP_sha256()) == 0) return fail_openssl("sign certificate");
  const Bio certificate_out(BIO_new(BIO_s_mem()));
  const Bio key_out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_out.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail_openssl("write certificate");
  return KeyPair{take(certificate_out), take(key_out)};
}

base::Result<Certificate> blank(EVP_PKEY* key, base::Clock::Wall now, std::chrono::hours lifetime) {
  Certificate certificate(X509_new());
  constexpr long k_version_3 = 2;
  if (!certificate || X509_set_version(certificate.get(), k_version_3) != 1 ||
      !set_serial(certificate.get()) || !set_validity(certificate.get(), now, lifetime) ||
      X509_set_pubkey(certificate.get(), key) != 1)
    return fail_openssl("make certificate");
  return certificate;
}

bool names_cover(X509* certificate, const std::vector<std::string>& names) {
  return std::ranges::all_of(names, [&](const std::string& name) {
    return base::IPAddress::parse(name)
               ? X509_check_ip_asc(certificate, name.c_str(), 0) == 1
               : X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
  });
}

}  // namespace

base::Result<KeyPair> make_authority(std::string_view common_name, base::Clock::Wall now) {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl("make key");
  MARGAY_TRY(const auto certificate, blank(key.get(), now, k_authority_lifetime));
  auto* x509 = certificate.get();
  if (!set_subject(x509, std::string(common_name), {}) ||
      X509_set_issuer_name(x509, X509_get_subject_name(x509)) != 1 ||
      !add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature") ||
      !add_extension(x509, x509, NID_subject_key_identifier, "hash"))
    return fail_openssl("make authority");
  return finish(x509, key.get(), key.get());
}

base::Result<KeyPair> sign_certificate(const KeyPair& authority, const CertificateRequest& request,
                                       base::Clock::Wall now) {
  const auto issuer = read_certificate(authority.certificate);
  const auto issuer_key = read_key(authority.key);
  if (!issuer || !issuer_key) return fail_openssl("read the authority");
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl("make key");
  MARGAY_TRY(const auto certificate, blank(key.get(), now, k_certificate_lifetime));
  auto* x509 = certificate.get();
  const bool server = request.usage == CertificateRequest::Usage::server;
  if (!set_subject(x509, request.common_name, request.organizations) ||
      X509_set_issuer_name(x509, X509_get_subject_name(issuer.get())) != 1 ||
      !add_extension(x509, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(x509, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(x509, issuer.get(), NID_ext_key_usage, server ? "serverAuth" : "clientAuth") ||
      !add_extension(x509, issuer.get(), NID_authority_key_identifier, "keyid"))
    return fail_openssl("make certificate");
  if (!request.names.empty() &&
      !add_extension(x509, issuer.get(), NID_subject_alt_name, alternative_names(request.names)))
    return fail_openssl("name the server");
  return finish(x509, key.get(), issuer_key.get());
}

bool is_usable(const KeyPair& pair, std::string_view authority_certificate,
               const std::vector<std::string>& names, base::Clock::Wall now) {
  const auto certificate = read_certificate(pair.certificate);
  const auto key = read_key(pair.key);
  const auto authority = read_certificate(authority_certificate);
  const auto renew_at = std::chrono::system_clock::to_time_t(now + k_renewal_margin);
  const bool usable = certificate && key && authority &&
                      X509_check_private_key(certificate.get(), key.get()) == 1 &&
                      X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1 &&
                      ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate.get()), renew_at) > 0 &&
                      names_cover(certificate.get(), names);
  ERR_clear_error();
  return usable;
}

std::string new_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("the system has no randomness");
  std::string out;
  for (const auto byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace margay::apiserver
