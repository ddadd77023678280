#include "apiserver/front_proxy.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/url/pct_string_view.hpp>

namespace margay::apiserver {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

std::string common_name(X509* certificate) {
  auto* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* bytes = nullptr;
  const auto* entry = X509_NAME_get_entry(subject, at);
  const auto size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return text;
}

std::string decoded(std::string_view text) {
  const auto valid = boost::urls::make_pct_string_view(text);
  return valid ? valid->decode() : std::string(text);
}

}  // namespace

base::Result<std::unique_ptr<FrontProxy>> FrontProxy::create(const Options& options) {
  MARGAY_TRY(auto authority, read_authority(options.authority));
  return std::unique_ptr<FrontProxy>(new FrontProxy(std::move(authority), options.allowed_names));
}

base::Result<FrontProxy::Store> FrontProxy::read_authority(const std::string& pem) {
  Store store(X509_STORE_new(), &X509_STORE_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  size_t count = 0;
  while (
      const Certificate one{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free}) {
    X509_STORE_add_cert(store.get(), one.get());
    ++count;
  }
  if (count == 0)
    return base::fail(base::ErrorCode::invalid,
                      "the front proxy's authority has no certificate in PEM form");
  return store;
}

base::Result<> FrontProxy::set_authority(const std::string& pem) {
  MARGAY_TRY(auto authority, read_authority(pem));
  const std::lock_guard lock(mutex_);
  authority_ = std::move(authority);
  return {};
}

FrontProxy::Store FrontProxy::authority() const {
  const std::lock_guard lock(mutex_);
  return authority_;
}

bool FrontProxy::is_proxy(ssl_st* tls) const {
  const Certificate certificate(SSL_get1_peer_certificate(tls), &X509_free);
  return certificate && is_proxy(certificate.get());
}

bool FrontProxy::is_proxy(x509_st* certificate) const {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(),
                                                                              &X509_STORE_CTX_free);
  const auto store = authority();
  if (X509_STORE_CTX_init(check.get(), store.get(), certificate, nullptr) != 1) return false;
  if (X509_STORE_CTX_set_default(check.get(), "ssl_client") != 1) return false;
  if (X509_verify_cert(check.get()) != 1) return false;
  return allowed_names_.empty() ||
         std::ranges::find(allowed_names_, common_name(certificate)) != allowed_names_.end();
}

std::optional<User> user_of_headers(std::span<const HeaderField> headers) {
  constexpr std::string_view k_extra = "X-Remote-Extra-";
  User user;
  for (const auto& [name, value] : headers) {
    if (boost::iequals(name, "X-Remote-User") && user.name.empty()) user.name = value;
    if (boost::iequals(name, "X-Remote-Uid") && user.uid.empty()) user.uid = value;
    if (boost::iequals(name, "X-Remote-Group")) user.groups.emplace_back(value);
    if (name.size() > k_extra.size() && boost::istarts_with(name, k_extra))
      user.extra[boost::to_lower_copy(decoded(name.substr(k_extra.size())))].emplace_back(value);
  }
  if (user.name.empty()) return std::nullopt;
  return user;
}

}  // namespace margay::apiserver
