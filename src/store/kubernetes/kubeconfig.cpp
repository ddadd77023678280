#include "store/kubernetes/kubeconfig.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <boost/json/object.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "api/codec.h"

namespace margay::store::kubernetes {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return base::fail_errno("reading " + path, errno);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return base::fail_errno("reading " + path, errno);
  return text;
}

Result<std::string> decode_base64(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  const auto malformed = [] { return fail(ErrorCode::invalid, "is not base64"); };
  if (text.size() % 4 != 0) return malformed();
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return malformed();
  // OpenSSL counts the padding as zero bytes.
  const auto padding = text.size() - text.find_last_not_of('=') - 1;
  if (text.empty() || padding > 2) return malformed();
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

// The fields of one YAML mapping, with the path of each for messages.
class Fields {
 public:
  Fields(const json::object& object, std::string path, std::string folder)
      : object_(object), path_(std::move(path)), folder_(std::move(folder)) {}

  Result<std::string> text(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (value == nullptr || value->is_null()) return std::string();
    if (!value->is_string()) return fail_at(name, ErrorCode::invalid, "must be a string");
    return std::string(value->as_string().c_str());
  }
  Result<bool> flag(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (value == nullptr || value->is_null()) return false;
    if (!value->is_bool()) return fail_at(name, ErrorCode::invalid, "must be true or false");
    return value->as_bool();
  }
  // `name` holds a file's name, `name-data` its content in base64; the content wins.
  Result<std::string> content(const std::string& name) const {
    MARGAY_TRY(const auto encoded, text(name + "-data"));
    if (!encoded.empty()) {
      auto decoded = decode_base64(encoded);
      if (!decoded) return fail_at(name + "-data", ErrorCode::invalid, decoded.error().message);
      return decoded;
    }
    MARGAY_TRY(const auto file, path(name));
    if (file.empty()) return std::string();
    auto read = read_file(file);
    if (!read) return fail_at(name, read.error().code, read.error().message);
    return read;
  }
  Result<std::string> path(std::string_view name) const {
    MARGAY_TRY(auto file, text(name));
    if (file.empty()) return file;
    return (std::filesystem::path(folder_) / file).string();
  }
  Result<> refuse(std::initializer_list<std::string_view> names) const {
    for (const auto name : names)
      if (object_.contains(name))
        return fail_at(name, ErrorCode::unsupported,
                       "is not supported: use a client certificate or a token");
    return {};
  }
  std::unexpected<base::Error> fail_at(std::string_view name, ErrorCode code,
                                       std::string_view rule) const {
    return fail(code, fmt::format("{}.{}: {}", path_, name, rule));
  }

 private:
  const json::object& object_;
  std::string path_;
  std::string folder_;
};

// The entry called `name` of a list like `clusters: [{name: a, cluster: {...}}]`.
Result<Fields> named(const json::object& config, std::string_view list, std::string_view inner,
                     std::string_view name, const std::string& folder) {
  const auto* entries = config.if_contains(list);
  if (entries != nullptr && entries->is_array()) {
    for (const auto& entry : entries->get_array()) {
      const auto* object = entry.if_object();
      const auto* found = object != nullptr ? object->if_contains("name") : nullptr;
      if (found == nullptr || !found->is_string() || found->get_string() != name) continue;
      const auto* value = object->if_contains(inner);
      if (value == nullptr || !value->is_object()) break;
      return Fields(value->get_object(), fmt::format("{}[{}].{}", list, name, inner), folder);
    }
  }
  return fail(ErrorCode::invalid, fmt::format("{}: there is no \"{}\"", list, name));
}

Result<> read_cluster(const Fields& cluster, ClusterAccess& access) {
  MARGAY_CHECK(cluster.refuse({"proxy-url"}));
  MARGAY_TRY(access.server, cluster.text("server"));
  if (access.server.empty()) return cluster.fail_at("server", ErrorCode::invalid, "is missing");
  MARGAY_TRY(access.ca_pem, cluster.content("certificate-authority"));
  MARGAY_TRY(access.insecure_skip_verify, cluster.flag("insecure-skip-tls-verify"));
  MARGAY_TRY(access.server_name, cluster.text("tls-server-name"));
  return {};
}

Result<> read_user(const Fields& user, ClusterAccess& access) {
  MARGAY_CHECK(user.refuse({"exec", "auth-provider", "username", "password"}));
  MARGAY_TRY(access.certificate_pem, user.content("client-certificate"));
  MARGAY_TRY(access.key_pem, user.content("client-key"));
  MARGAY_TRY(access.token, user.text("token"));
  MARGAY_TRY(access.token_file, user.path("tokenFile"));
  return {};
}

Result<ClusterAccess> read_config(const json::object& config, const std::string& folder,
                                  std::string_view chosen) {
  const Fields top(config, "kubeconfig", folder);
  MARGAY_TRY(std::string context_name, top.text("current-context"));
  if (!chosen.empty()) context_name = chosen;
  if (context_name.empty()) return top.fail_at("current-context", ErrorCode::invalid, "is not set");

  ClusterAccess access;
  MARGAY_TRY(const auto context, named(config, "contexts", "context", context_name, folder));
  MARGAY_TRY(const auto cluster_name, context.text("cluster"));
  MARGAY_TRY(const auto user_name, context.text("user"));
  MARGAY_TRY(access.ns, context.text("namespace"));
  MARGAY_TRY(const auto cluster, named(config, "clusters", "cluster", cluster_name, folder));
  MARGAY_CHECK(read_cluster(cluster, access));
  if (user_name.empty()) return access;
  MARGAY_TRY(const auto user, named(config, "users", "user", user_name, folder));
  MARGAY_CHECK(read_user(user, access));
  return access;
}

}  // namespace

Result<ClusterAccess> load_kubeconfig(const std::string& path, std::string_view context) {
  MARGAY_TRY(const auto text, read_file(path));
  auto documents = api::parse_yaml(text);
  if (!documents) return fail(std::move(documents).error().wrap(path));
  if (documents->size() != 1 || !documents->front().is_object())
    return fail(ErrorCode::invalid, path + ": is not a kubeconfig");
  const auto folder = std::filesystem::absolute(path).parent_path().string();
  auto access = read_config(documents->front().get_object(), folder, context);
  if (!access) return fail(std::move(access).error().wrap(path));
  return access;
}

InCluster InCluster::from_environment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  InCluster from;
  from.host = variable("KUBERNETES_SERVICE_HOST");
  from.port = variable("KUBERNETES_SERVICE_PORT");
  return from;
}

Result<ClusterAccess> load_in_cluster(const InCluster& from) {
  if (from.host.empty() || from.port.empty())
    return fail(ErrorCode::not_found,
                "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  ClusterAccess access;
  const bool v6 = from.host.find(':') != std::string::npos;
  access.server = fmt::format("https://{}:{}", v6 ? "[" + from.host + "]" : from.host, from.port);
  access.token_file = from.folder + "/token";
  MARGAY_CHECK(read_file(access.token_file));
  MARGAY_TRY(access.ca_pem, read_file(from.folder + "/ca.crt"));
  if (const auto ns = read_file(from.folder + "/namespace")) access.ns = *ns;
  return access;
}

Result<ClusterAccess> load_access(const std::string& kubeconfig) {
  return kubeconfig.empty() ? load_in_cluster(InCluster::from_environment())
                            : load_kubeconfig(kubeconfig);
}

}  // namespace margay::store::kubernetes
