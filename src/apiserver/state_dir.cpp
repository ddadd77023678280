#include "apiserver/state_dir.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "apiserver/base64.h"
#include "apiserver/tokens.h"
#include "base/file.h"
#include "base/host_name.h"

namespace margay::apiserver {
namespace {

namespace fs = std::filesystem;
using base::read_file;
using base::write_file;

constexpr mode_t k_private = 0600;
constexpr mode_t k_public = 0644;
constexpr std::string_view k_agent_user = "margay-agent";

std::string machine_name() { return base::host_name().value_or("localhost"); }

// Letters, digits, dots and hyphens: others would not survive as a certificate's DNS name.
bool is_dns_name(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-';
  });
}

CertificateRequest server_request(const std::string& listen_host) {
  CertificateRequest request{.usage = CertificateRequest::Usage::server,
                             .common_name = "margay-apiserver",
                             .names = {"127.0.0.1", "::1", "localhost", "kubernetes",
                                       "kubernetes.default", "kubernetes.default.svc"}};
  for (const auto& name : {listen_host, machine_name()})
    if (is_dns_name(name) || name.find(':') != std::string::npos)
      if (std::ranges::find(request.names, name) == request.names.end())
        request.names.push_back(name);
  return request;
}

CertificateRequest admin_request() {
  return {.usage = CertificateRequest::Usage::client,
          .common_name = "kubernetes-admin",
          .organizations = {"system:masters"}};
}

std::string kubeconfig(std::string_view url, std::string_view authority, std::string_view user,
                       std::string_view credentials) {
  return fmt::format(R"(apiVersion: v1
kind: Config
clusters:
- name: margay
  cluster:
    server: {}
    certificate-authority-data: {}
users:
- name: {}
  user:
{}contexts:
- name: margay
  context:
    cluster: margay
    user: {}
current-context: margay
)",
                     url, base64(authority), user, credentials, user);
}

// Nothing when there is no such file. One that is there and cannot be read is no reason to make
// another in its place.
base::Result<std::optional<std::string>> read_if_there(const fs::path& path) {
  auto text = read_file(path);
  if (text) return std::move(*text);
  if (text.error().code == base::ErrorCode::not_found) return std::nullopt;
  return std::unexpected(text.error());
}

bool file_has(const fs::path& path, std::initializer_list<std::string_view> parts) {
  const auto content = read_file(path);
  return content && std::ranges::all_of(parts, [&](std::string_view part) {
           return content->find(part) != std::string::npos;
         });
}

}  // namespace

base::Result<StateDir> StateDir::open(const fs::path& directory) {
  std::error_code error;
  StateDir out;
  out.directory_ = fs::absolute(directory);
  if (fs::create_directories(out.directory_, error))
    fs::permissions(out.directory_, fs::perms::owner_all, error);
  fs::create_directories(out.directory_ / "pki", error);
  if (error) return base::fail_errno("create " + (out.directory_ / "pki").string(), error.value());
  fs::permissions(out.directory_ / "pki", fs::perms::owner_all, error);
  auto lock = base::FileLock::acquire(out.directory_ / "lock");
  if (!lock && lock.error().code == base::ErrorCode::conflict)
    return base::fail(
        base::ErrorCode::conflict,
        fmt::format("another server uses the data directory {}", out.directory_.string()));
  if (!lock) return base::fail(std::move(lock).error());
  out.lock_.emplace(*std::move(lock));
  return out;
}

base::Result<> StateDir::ensure_authority(base::Clock::Wall now) {
  const auto certificate_file = directory_ / "pki/ca.crt";
  const auto key_file = directory_ / "pki/ca.key";
  MARGAY_TRY(const auto certificate, read_if_there(certificate_file));
  MARGAY_TRY(const auto key, read_if_there(key_file));
  if (certificate && !key)
    return base::fail(
        base::ErrorCode::invalid,
        fmt::format("{} is there, but its key {} is not: put it back, or remove the certificate to "
                    "have a new authority made, which no client knows yet",
                    certificate_file.string(), key_file.string()));
  if (certificate && key) authority_ = {*certificate, *key};
  if (is_usable(authority_, authority_.certificate, {}, now)) return {};
  if (certificate && key)
    spdlog::warn("{} is no longer usable: making a new authority; kubeconfigs change",
                 certificate_file.string());
  MARGAY_TRY(authority_, make_authority("margay-ca", now));
  MARGAY_CHECK(write_file(key_file, authority_.key, k_private));
  return write_file(certificate_file, authority_.certificate, k_public);
}

base::Result<std::optional<KeyPair>> StateDir::read_pair(const std::string& name) const {
  MARGAY_TRY(const auto certificate, read_if_there(directory_ / "pki" / (name + ".crt")));
  MARGAY_TRY(const auto key, read_if_there(directory_ / "pki" / (name + ".key")));
  if (!certificate || !key) return std::nullopt;
  return KeyPair{*certificate, *key};
}

base::Result<bool> StateDir::renew_pair(KeyPair& held, const std::string& name,
                                        const CertificateRequest& request, base::Clock::Wall now) {
  const auto usable = [&](const KeyPair& pair) {
    return is_usable(pair, authority_.certificate, request.names, now);
  };
  MARGAY_TRY(auto replaced, read_pair(name));
  if (replaced && *replaced != held && usable(*replaced)) {
    held = std::move(*replaced);
    return true;
  }
  if (usable(held)) return false;
  MARGAY_TRY(held, ensure_pair(name, request, now));
  return true;
}

base::Result<KeyPair> StateDir::ensure_pair(const std::string& name,
                                            const CertificateRequest& request,
                                            base::Clock::Wall now) {
  const auto certificate_file = directory_ / "pki" / (name + ".crt");
  const auto key_file = directory_ / "pki" / (name + ".key");
  MARGAY_TRY(auto existing, read_pair(name));
  if (existing && is_usable(*existing, authority_.certificate, request.names, now))
    return std::move(*existing);
  MARGAY_TRY(auto made, sign_certificate(authority_, request, now));
  MARGAY_CHECK(write_file(key_file, made.key, k_private));
  MARGAY_CHECK(write_file(certificate_file, made.certificate, k_public));
  return made;
}

base::Result<> StateDir::ensure_pki(const std::string& listen_host, base::Clock::Wall now) {
  MARGAY_CHECK(ensure_authority(now));
  MARGAY_TRY(server_, ensure_pair("apiserver", server_request(listen_host), now));
  MARGAY_TRY(admin_, ensure_pair("admin", admin_request(), now));
  return {};
}

base::Result<bool> StateDir::renew_pki(const std::string& listen_host, base::Clock::Wall now) {
  const bool authority_ends = !is_usable(authority_, authority_.certificate, {}, now);
  if (authority_ends) MARGAY_CHECK(ensure_authority(now));
  MARGAY_TRY(const bool server_changed,
             renew_pair(server_, "apiserver", server_request(listen_host), now));
  MARGAY_CHECK(renew_pair(admin_, "admin", admin_request(), now));
  return authority_ends || server_changed;
}

base::Result<> StateDir::ensure_tokens() {
  if (fs::exists(tokens_file())) return {};
  return write_file(
      tokens_file(),
      fmt::format("{},{},{},\"margay:agents\"\n", new_token(), k_agent_user, k_agent_user),
      k_private);
}

base::Result<> StateDir::ensure_kubeconfigs(const std::string& url) {
  const auto server_line = fmt::format("server: {}\n", url);
  const auto authority_data = base64(authority_.certificate);
  if (!file_has(kubeconfig_file(), {server_line, authority_data, base64(admin_.certificate)})) {
    const auto credentials =
        fmt::format("    client-certificate-data: {}\n    client-key-data: {}\n",
                    base64(admin_.certificate), base64(admin_.key));
    MARGAY_CHECK(write_file(
        kubeconfig_file(), kubeconfig(url, authority_.certificate, "kubernetes-admin", credentials),
        k_private));
  }
  MARGAY_TRY(const auto text, read_file(tokens_file()));
  MARGAY_TRY(const auto tokens, parse_tokens(text));
  const auto agent = std::ranges::find(
      tokens, k_agent_user, [](const Token& token) { return std::string_view(token.user.name); });
  if (agent == tokens.end()) return {};  // the operator took the agents' token away
  const auto agent_file = directory_ / "agent.kubeconfig";
  const auto credentials =
      fmt::format("    token: {}\n", boost::json::serialize(boost::json::value(agent->secret)));
  if (file_has(agent_file, {server_line, authority_data, credentials})) return {};
  return write_file(agent_file, kubeconfig(url, authority_.certificate, k_agent_user, credentials),
                    k_private);
}

}  // namespace margay::apiserver
