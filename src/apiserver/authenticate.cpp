#include "apiserver/authenticate.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <memory>

namespace margay::apiserver {
namespace {

std::string text_of(const X509_NAME_ENTRY* entry) {
  unsigned char* bytes = nullptr;
  const auto size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return text;
}

std::vector<std::string> values_of(X509_NAME* name, int nid) {
  std::vector<std::string> out;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;)
    out.push_back(text_of(X509_NAME_get_entry(name, at)));
  return out;
}

}  // namespace

std::optional<CertificateUser> certificate_user(SSL* tls) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(tls),
                                                                &X509_free);
  if (!certificate || SSL_get_verify_result(tls) != X509_V_OK) return std::nullopt;
  auto* subject = X509_get_subject_name(certificate.get());
  auto names = values_of(subject, NID_commonName);
  if (names.empty() || names.front().empty()) return std::nullopt;
  tm until{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &until) != 1) return std::nullopt;
  return CertificateUser{{std::move(names.front()), values_of(subject, NID_organizationName)},
                         std::chrono::system_clock::from_time_t(::timegm(&until))};
}

Answer<std::optional<User>> authenticate(const std::optional<CertificateUser>& certificate,
                                         std::string_view authorization, TokenFile& tokens) {
  if (certificate && std::chrono::system_clock::now() < certificate->valid_until)
    return certificate->user;
  constexpr std::string_view k_bearer = "Bearer ";
  if (!boost::algorithm::istarts_with(authorization, k_bearer)) return std::nullopt;
  authorization.remove_prefix(k_bearer.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  if (authorization.empty()) return std::nullopt;
  auto user = tokens.find(authorization);
  if (!user) return refuse(unauthorized());
  return user;
}

User anonymous() { return {"system:anonymous", {"system:unauthenticated"}}; }

User as_authenticated(User user) {
  if (user.name == anonymous().name) return user;  // of whom a front proxy speaks
  constexpr std::string_view k_all = "system:authenticated";
  if (std::ranges::find(user.groups, k_all) == user.groups.end()) user.groups.emplace_back(k_all);
  return user;
}

}  // namespace margay::apiserver
