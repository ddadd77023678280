#include "store/kubernetes/kubeconfig.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <boost/json/object.hpp>
#include <cstdlib>
#include <filesystem>

#include "api/codec.h"
#include "api/fields.h"
#include "base/file.h"

namespace margay::store::kubernetes {
namespace {

namespace json = boost::json;
using api::Fields;
using base::ErrorCode;
using base::fail;
using base::FieldPath;
using base::Result;

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

// A kubeconfig while it is read. All that is wrong is told at once.
class Reader {
 public:
  explicit Reader(std::string folder) : folder_(std::move(folder)) {}
  Result<ClusterAccess> read(const json::object& config, std::string_view chosen);

 private:
  void read_cluster(Fields& cluster);
  void read_user(Fields& user);
  // Visits `inner` of the entry called `name` of a list like `users: [{name: a, user: {...}}]`.
  template <typename Visit>
  void visit_named(Fields& config, std::string_view list, std::string_view inner,
                   std::string_view name, Visit visit);
  // `name` holds a file's name, `name-data` its content in base64; the content wins.
  std::string content(Fields& fields, const std::string& name);
  std::string path(Fields& fields, std::string_view name) const;
  void refuse(Fields& fields, std::initializer_list<std::string_view> names);
  base::Error error();

  std::string folder_;
  ClusterAccess access_;
  ErrorCode code_ = ErrorCode::invalid;  // of what was found wrong, where that is something else
  Fields::Errors errors_;
};

std::string Reader::content(Fields& fields, const std::string& name) {
  const auto encoded_name = name + "-data";
  if (const auto encoded = fields.text(encoded_name); encoded && !encoded->empty()) {
    if (auto decoded = decode_base64(*encoded)) return *std::move(decoded);
    fields.invalid(encoded_name, "is not base64");
    return {};
  }
  const auto file = path(fields, name);
  if (file.empty()) return {};
  auto read = base::read_file(file);
  if (read) return *std::move(read);
  if (errors_.empty()) code_ = read.error().code;
  fields.invalid(name, read.error().message);
  return {};
}

std::string Reader::path(Fields& fields, std::string_view name) const {
  const auto file = fields.text(name).value_or("");
  return file.empty() ? file : (std::filesystem::path(folder_) / file).string();
}

void Reader::refuse(Fields& fields, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (!fields.has(name)) continue;
    if (errors_.empty()) code_ = ErrorCode::unsupported;
    fields.error_at(Fields::Type::forbidden, fields.path(name), "",
                    "is not supported: use a client certificate or a token");
  }
}

template <typename Visit>
void Reader::visit_named(Fields& config, std::string_view list, std::string_view inner,
                         std::string_view name, Visit visit) {
  bool found = false;
  config.each(list, [&](const json::value& element, const FieldPath& at) {
    if (found || Fields(element, at, errors_).text("name") != name) return;
    found = true;
    const auto place = config.path(list);
    visit(Fields(element, place.key(name), errors_).object(inner));
  });
  if (!found)
    config.error_at(Fields::Type::required, config.path(list), "",
                    fmt::format("there is no \"{}\"", name));
}

void Reader::read_cluster(Fields& cluster) {
  refuse(cluster, {"proxy-url"});
  access_.server = cluster.text("server", true).value_or("");
  access_.ca_pem = content(cluster, "certificate-authority");
  access_.insecure_skip_verify = cluster.flag("insecure-skip-tls-verify");
  access_.server_name = cluster.text("tls-server-name").value_or("");
}

void Reader::read_user(Fields& user) {
  refuse(user, {"exec", "auth-provider", "username", "password"});
  access_.certificate_pem = content(user, "client-certificate");
  access_.key_pem = content(user, "client-key");
  access_.token = user.text("token").value_or("");
  access_.token_file = path(user, "tokenFile");
}

base::Error Reader::error() {
  // A log is no place for keys and tokens, not even for wrong ones.
  for (auto& error : errors_)
    if (error.path.starts_with("users[")) error.value.clear();
  auto told = fail(std::move(errors_)).error();
  told.code = code_;
  return told;
}

Result<ClusterAccess> Reader::read(const json::object& config, std::string_view chosen) {
  Fields top(config, {}, errors_);
  const auto context =
      chosen.empty() ? top.text("current-context", true).value_or("") : std::string(chosen);
  std::string cluster, user;
  if (!context.empty()) {
    visit_named(top, "contexts", "context", context, [&](Fields fields) {
      cluster = fields.text("cluster", true).value_or("");
      user = fields.text("user").value_or("");
      access_.ns = fields.text("namespace").value_or("");
    });
  }
  if (!cluster.empty())
    visit_named(top, "clusters", "cluster", cluster,
                [this](Fields fields) { read_cluster(fields); });
  if (!user.empty())
    visit_named(top, "users", "user", user, [this](Fields fields) { read_user(fields); });
  if (!errors_.empty()) return fail(error());
  return std::move(access_);
}

}  // namespace

Result<ClusterAccess> parse_kubeconfig(const std::string& text, const std::string& origin,
                                       const std::string& folder, std::string_view context) {
  auto documents = api::parse_yaml(text);
  if (!documents) return fail(std::move(documents).error().wrap(origin));
  if (documents->size() != 1 || !documents->front().is_object())
    return fail(ErrorCode::invalid, origin + ": is not a kubeconfig");
  auto access = Reader(folder).read(documents->front().get_object(), context);
  if (!access) return fail(std::move(access).error().wrap(origin));
  return access;
}

Result<ClusterAccess> load_kubeconfig(const std::string& path, std::string_view context) {
  const auto text = base::read_file(path);
  if (!text) return fail(base::Error(text.error()).wrap("kubeconfig"));
  const auto folder = std::filesystem::absolute(path).parent_path().string();
  return parse_kubeconfig(*text, path, folder, context);
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
  MARGAY_CHECK(base::read_file(access.token_file));
  MARGAY_TRY(access.ca_pem, base::read_file(from.folder + "/ca.crt"));
  if (const auto ns = base::read_file(from.folder + "/namespace")) access.ns = *ns;
  return access;
}

Result<ClusterAccess> load_access(const std::string& kubeconfig) {
  return kubeconfig.empty() ? load_in_cluster(InCluster::from_environment())
                            : load_kubeconfig(kubeconfig);
}

}  // namespace margay::store::kubernetes
