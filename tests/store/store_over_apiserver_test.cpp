// The kubernetes store against the real API server: the same suite that the server's own store
// passes must hold at the other end of the wire.

#include "apiserver/api_server.h"
#include "store/kubernetes/kubernetes_store.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/conformance.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::testing {
namespace {

class ApiServerBackend final : public Backend {
 public:
  ApiServerBackend() {
    start();
    for (const auto* ns : {"alpha", "beta"})
      must(store_->create({"namespaces", "", ns}, R"({"metadata":{}})"));
  }
  ~ApiServerBackend() override { stop(); }

  Store& store() override { return *store_; }
  // The API has no verb for it: with the server down, on its file.
  base::Result<> compact(Revision revision) override {
    stop();
    auto file = sqlite::SqliteStore::open({.path = folder_.file("store.db")});
    const auto compacted = file ? (*file)->compact(revision) : base::fail(file.error());
    file = base::fail(base::ErrorCode::unavailable, "closed");
    start();
    return compacted;
  }
  void restart() override {
    stop();
    start();
  }

 private:
  void start() {
    const auto open_store = [](const std::filesystem::path& folder) {
      return sqlite::SqliteStore::open({.path = (folder / "store.db").string()});
    };
    server_ = must(apiserver::ApiServer::start(
        {.data_dir = folder_.file(""), .open_store = open_store, .port = 0}));
    auto access = must(kubernetes::load_kubeconfig(server_->kubeconfig().string()));
    store_ = must(kubernetes::KubernetesStore::create({.access = std::move(access)}));
  }
  void stop() {
    store_.reset();
    server_->stop(std::chrono::seconds(5));
    server_.reset();
  }

  TemporaryFolder folder_;
  std::unique_ptr<apiserver::ApiServer> server_;
  std::unique_ptr<kubernetes::KubernetesStore> store_;
};

INSTANTIATE_TEST_SUITE_P(KubernetesOverApiServer, Conformance,
                         ::testing::Values(BackendType{
                             "apiserver",
                             [] { return std::make_unique<ApiServerBackend>(); },
                             /*tells_revision_of_removal=*/false,
                         }));

}  // namespace
}  // namespace margay::store::testing
