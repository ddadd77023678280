#include "ctl/connection.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "api/codec.h"
#include "api/fields.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "store/kubernetes/kubernetes_store.h"

namespace margay::ctl {
namespace {

namespace fs = std::filesystem;
using api::Fields;
using base::ErrorCode;
using base::fail;
using base::Result;
using store::kubernetes::ClusterAccess;

constexpr std::string_view k_embedded = "embedded";
constexpr std::string_view k_kubernetes = "kubernetes";
constexpr std::string_view k_etcd = "etcdv3";

// Of datastores that are not there yet; read so that a whole file of Calico's can be.
constexpr const char* k_etcd_fields[] = {
    "etcdEndpoints", "etcdDiscoverySrv", "etcdUsername", "etcdPassword", "etcdKeyFile",
    "etcdCertFile",  "etcdCACertFile",   "etcdKey",      "etcdCert",     "etcdCACert"};

Result<ConnectionSettings> read_file(const std::string& path) {
  MARGAY_TRY(const auto text, base::read_file(path));
  auto documents = api::parse_yaml(text);
  if (!documents) return fail(std::move(documents).error().wrap("syntax error in " + path));
  if (documents->size() != 1)
    return fail(ErrorCode::invalid, path + ": must be one document, a CalicoAPIConfig");
  Fields::Errors errors;
  Fields top(documents->front(), {}, errors);
  if (top.text("apiVersion") != "projectcalico.org/v3")
    top.invalid("apiVersion", "must be projectcalico.org/v3");
  if (top.text("kind") != "CalicoAPIConfig") top.invalid("kind", "must be CalicoAPIConfig");
  top.value("metadata");
  auto spec = top.object("spec");
  const auto text_of = [&](std::string_view name) { return spec.text(name).value_or(""); };
  ConnectionSettings settings{.type = text_of("datastoreType"),
                              .data_dir = text_of("dataDir"),
                              .kubeconfig = text_of("kubeconfig"),
                              .kubeconfig_inline = text_of("kubeconfigInline"),
                              .context = text_of("k8sCurrentContext"),
                              .endpoint = text_of("k8sAPIEndpoint"),
                              .ca_file = text_of("k8sCAFile"),
                              .certificate_file = text_of("k8sCertFile"),
                              .key_file = text_of("k8sKeyFile"),
                              .token = text_of("k8sAPIToken"),
                              .insecure_skip_verify = spec.flag("k8sInsecureSkipTLSVerify")};
  for (const auto* name : k_etcd_fields) {
    const auto value = text_of(name);
    if (settings.type.empty() && std::string_view(name) == "etcdEndpoints" && !value.empty())
      settings.type = k_etcd;
  }
  // Ways of Calico's client that change nothing here.
  for (const auto* name : {"k8sDisableNodePoll", "usePodCIDR", "k8sClientQPS"}) spec.value(name);
  spec.no_others();
  top.no_others();
  if (!errors.empty()) return fail(fail(std::move(errors)).error().wrap(path));
  return settings;
}

ConnectionSettings read_environment(const Environment& environment) {
  ConnectionSettings settings{
      .type = environment("DATASTORE_TYPE"),
      .data_dir = environment("MARGAY_DATA_DIR"),
      .kubeconfig = environment("KUBECONFIG"),
      .kubeconfig_inline = {},
      .context = environment("K8S_CURRENT_CONTEXT"),
      .endpoint = environment("K8S_API_ENDPOINT"),
      .ca_file = environment("K8S_CA_FILE"),
      .certificate_file = environment("K8S_CERT_FILE"),
      .key_file = environment("K8S_KEY_FILE"),
      .token = environment("K8S_API_TOKEN"),
      .insecure_skip_verify = environment("K8S_INSECURE_SKIP_TLS_VERIFY") == "true"};
  if (settings.type.empty() && !environment("ETCD_ENDPOINTS").empty()) settings.type = k_etcd;
  return settings;
}

// ---- Kubernetes
// -----------------------------------------------------------------------------------

Result<ClusterAccess> find_access(const ConnectionSettings& settings) {
  using namespace store::kubernetes;
  if (!settings.kubeconfig_inline.empty())
    return parse_kubeconfig(settings.kubeconfig_inline, "kubeconfigInline", ".", settings.context);
  if (!settings.kubeconfig.empty()) return load_kubeconfig(settings.kubeconfig, settings.context);
  if (!settings.endpoint.empty()) return ClusterAccess{};
  return load_in_cluster(InCluster::from_environment());
}

Result<ClusterAccess> access_of(const ConnectionSettings& settings) {
  MARGAY_TRY(auto access, find_access(settings));
  if (!settings.endpoint.empty()) access.server = settings.endpoint;
  if (!settings.token.empty()) access.token = settings.token;
  if (settings.insecure_skip_verify) access.insecure_skip_verify = true;
  const auto read_into = [](const std::string& file, std::string& into) -> Result<> {
    if (file.empty()) return {};
    MARGAY_TRY(into, base::read_file(file));
    return {};
  };
  MARGAY_CHECK(read_into(settings.ca_file, access.ca_pem));
  MARGAY_CHECK(read_into(settings.certificate_file, access.certificate_pem));
  MARGAY_CHECK(read_into(settings.key_file, access.key_pem));
  return access;
}

Result<std::unique_ptr<store::Store>> connect_to(ClusterAccess access) {
  MARGAY_TRY(auto store, store::kubernetes::KubernetesStore::create({.access = std::move(access)}));
  return store;
}

// ---- embedded
// -------------------------------------------------------------------------------------

constexpr std::chrono::seconds k_patience{10};
constexpr std::chrono::milliseconds k_poll{5};

// Another command has the store for a moment; a server that starts writes its kubeconfig soon.
Result<std::unique_ptr<store::Store>> open_embedded(const std::string& data_dir,
                                                    const OpenLocal& open_local, Access access) {
  if (data_dir.empty())
    return fail(ErrorCode::invalid,
                "the embedded datastore needs its directory: MARGAY_DATA_DIR, or spec.dataDir of "
                "the configuration file");
  const auto folder = fs::path(data_dir);
  std::error_code unknown;
  if (!fs::is_directory(folder, unknown))
    return fail(ErrorCode::not_found, "there is no directory " + data_dir);
  const auto deadline = std::chrono::steady_clock::now() + k_patience;
  while (true) {
    const bool is_served = base::FileLock::is_held(folder / "lock");
    Result<std::unique_ptr<store::Store>> opened = nullptr;
    if (is_served) {
      auto found = store::kubernetes::load_kubeconfig((folder / "kubeconfig").string());
      if (found) return connect_to(*std::move(found));
      opened = fail(found.error());
    } else {
      opened = open_local(data_dir, access);
    }
    const bool may_change = !opened && (is_served || opened.error().code == ErrorCode::unavailable);
    if (!may_change || std::chrono::steady_clock::now() >= deadline) return opened;
    std::this_thread::sleep_for(k_poll);
  }
}

}  // namespace

Result<ConnectionSettings> read_connection_settings(const std::string& config_file,
                                                    const Environment& environment) {
  std::error_code unknown;
  const bool is_there = fs::exists(config_file, unknown);
  if (!is_there && config_file != k_default_config)
    return fail(ErrorCode::not_found, "Error reading config file: " + config_file);
  ConnectionSettings settings;
  if (is_there) {
    MARGAY_TRY(settings, read_file(config_file));
  } else {
    settings = read_environment(environment);
  }
  if (settings.type.empty()) settings.type = settings.data_dir.empty() ? k_kubernetes : k_embedded;
  const bool is_named = !settings.kubeconfig.empty() || !settings.kubeconfig_inline.empty() ||
                        !settings.endpoint.empty();
  if (const auto home = environment("HOME"); !is_named && !home.empty()) {
    const auto usual = home + "/.kube/config";
    if (fs::exists(usual, unknown)) settings.kubeconfig = usual;
  }
  return settings;
}

Result<std::unique_ptr<store::Store>> connect(const ConnectionSettings& settings,
                                              const OpenLocal& open_local, Access access) {
  if (settings.type == k_embedded) return open_embedded(settings.data_dir, open_local, access);
  if (settings.type == k_etcd)
    return fail(ErrorCode::unsupported,
                "datastore type etcdv3 is not there yet: use kubernetes or embedded");
  if (settings.type != k_kubernetes)
    return fail(
        ErrorCode::invalid,
        fmt::format("unknown datastore type '{}': must be kubernetes or embedded", settings.type));
  MARGAY_TRY(auto server, access_of(settings));
  return connect_to(std::move(server));
}

}  // namespace margay::ctl
