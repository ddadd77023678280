// A server that starts on a store that is not as it should be.

#include "apiserver/api_server.h"

#include "apiserver/router_fixture.h"
#include "store/testing/forwarding_store.h"

namespace margay::apiserver {
namespace {

// On a full disk.
class FullStore final : public store::ForwardingStore {
 public:
  explicit FullStore(std::unique_ptr<store::Store> store)
      : ForwardingStore(*store), owned_(std::move(store)) {}

  base::Result<store::Entry> create(const store::Key& key, std::string) override {
    if (store_.get(key)) return base::fail(base::ErrorCode::already_exists, "it is there");
    return base::fail(base::ErrorCode::unavailable, "the store's disk is full");
  }

 private:
  const std::unique_ptr<store::Store> owned_;
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
