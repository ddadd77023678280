// A server that starts on a store that is not as it should be.

#include "apiserver/api_server.h"

#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

// On a full disk.
class FullStore final : public store::Store {
 public:
  explicit FullStore(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}

  base::Result<store::Entry> get(const store::Key& key) override { return store_->get(key); }
  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    return store_->list(scope, options);
  }
  base::Result<store::Entry> create(const store::Key& key, std::string) override {
    if (store_->get(key)) return base::fail(base::ErrorCode::already_exists, "it is there");
    return base::fail(base::ErrorCode::unavailable, "the store's disk is full");
  }
  base::Result<store::Entry> update(const store::Key& key, std::string value,
                                    std::optional<store::Revision> expected) override {
    return store_->update(key, std::move(value), expected);
  }
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override {
    return store_->remove(key, expected);
  }
  base::Result<std::unique_ptr<store::Watch>> watch(const store::Scope& scope, store::Revision from,
                                                    store::Watcher& watcher) override {
    return store_->watch(scope, from, watcher);
  }

 private:
  std::unique_ptr<store::Store> store_;
};

TEST(ApiServer, ComesUpOnAFullDiskWhateverIsMissing) {
  const TemporaryFolder folder;
  using Opened = base::Result<std::unique_ptr<store::Store>>;
  const auto open = [](const std::filesystem::path& at) -> Opened {
    MARGAY_TRY(auto store, store::sqlite::SqliteStore::open({.path = (at / "store.db").string()}));
    return store;
  };
  {
    const auto server =
        ApiServer::start({.data_dir = folder.path(), .open_store = open, .port = 0});
    ASSERT_TRUE(server) << server.error().message;
  }
  const auto open_full = [&](const std::filesystem::path& at) -> Opened {
    MARGAY_TRY(auto store, open(at));
    MARGAY_CHECK(store->remove({"tiers.projectcalico.org", {}, "kube-admin"}, {}));
    MARGAY_CHECK(store->remove({"namespaces", {}, "kube-node-lease"}, {}));
    return std::make_unique<FullStore>(std::move(store));
  };
  const auto server =
      ApiServer::start({.data_dir = folder.path(), .open_store = open_full, .port = 0});
  EXPECT_TRUE(server) << server.error().message;
}

}  // namespace
}  // namespace margay::apiserver
