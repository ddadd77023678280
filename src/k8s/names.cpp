#include "k8s/names.h"

#include <openssl/evp.h>

#include <array>
#include <initializer_list>
#include <span>
#include <stdexcept>

#include "base/text.h"

namespace margay::k8s {
namespace {

constexpr size_t k_interface_digits = 11;

// Millions of names are made when a cluster is read, so they are not formatted.
std::string concat(const auto&... parts) {
  const std::initializer_list<std::string_view> all = {std::string_view(parts)...};
  std::string text;
  for (const std::string_view part : all) text += part;
  return text;
}

}  // namespace

std::string namespace_profile(std::string_view ns) {
  return concat(k_namespace_profile_prefix, ns);
}

std::string service_account_profile(std::string_view ns, std::string_view name) {
  return concat(k_service_account_profile_prefix, ns, ".", name);
}

bool is_inherited_label(std::string_view key) {
  return key.starts_with(k_namespace_prefix) || key.starts_with(k_service_account_prefix);
}

std::string kubernetes_policy(std::string_view name) { return concat("knp.default.", name); }

std::string_view without_tier(std::string_view name, std::string_view tier) {
  const bool has_tier =
      name.size() > tier.size() && name.starts_with(tier) && name[tier.size()] == '.';
  return has_tier ? name.substr(tier.size() + 1) : name;
}

std::string interface_name(std::string_view ns, std::string_view pod, std::string_view prefix) {
  // Looked up once: that takes longer than the digest.
  static const EVP_MD* const k_sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  const std::string workload = concat(ns, ".", pod);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(workload.data(), workload.size(), digest.data(), &size, k_sha1, nullptr) != 1)
    throw std::runtime_error("the cryptographic library has no SHA-1");
  return concat(prefix, base::hex(std::span(digest).first(size)).substr(0, k_interface_digits));
}

}  // namespace margay::k8s
