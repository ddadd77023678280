#include "k8s/names.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace margay::k8s {
namespace {

constexpr std::string_view k_namespace_profile_prefix = "kns.";
constexpr std::string_view k_tier_prefix = "default.";
constexpr size_t k_interface_digits = 11;

}  // namespace

std::string namespace_profile(std::string_view ns) {
  return fmt::format("{}{}", k_namespace_profile_prefix, ns);
}

std::string service_account_profile(std::string_view ns, std::string_view name) {
  return fmt::format("{}{}.{}", k_service_account_profile_prefix, ns, name);
}

bool is_inherited_label(std::string_view key) {
  return key.starts_with(k_namespace_prefix) || key.starts_with(k_service_account_prefix);
}

std::string kubernetes_policy(std::string_view name) { return fmt::format("knp.default.{}", name); }

std::string_view without_tier(std::string_view name) {
  if (name.starts_with(k_tier_prefix)) name.remove_prefix(k_tier_prefix.size());
  return name;
}

std::string interface_name(std::string_view ns, std::string_view pod, std::string_view prefix) {
  const std::string workload = fmt::format("{}.{}", ns, pod);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(workload.data(), workload.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  std::string digits;
  for (size_t i = 0; digits.size() < k_interface_digits; ++i)
    digits += fmt::format("{:02x}", digest[i]);
  return std::string(prefix) + digits.substr(0, k_interface_digits);
}

}  // namespace margay::k8s
