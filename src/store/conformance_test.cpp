#include "store/testing/conformance.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::testing {
namespace {

class SqliteBackend final : public Backend {
 public:
  SqliteBackend() { open(); }
  Store& store() override { return *store_; }
  base::Result<> compact(Revision revision) override { return store_->compact(revision); }
  void restart() override {
    store_.reset();
    open();
  }

 private:
  void open() {
    store_ = must(sqlite::SqliteStore::open(
        {.path = folder_.file("store.db"), .durability = sqlite::Durability::process_crash}));
  }
  TemporaryFolder folder_;
  std::unique_ptr<sqlite::SqliteStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, Conformance,
                         ::testing::Values(BackendType{
                             "sqlite",
                             [] { return std::make_unique<SqliteBackend>(); },
                         }));

}  // namespace
}  // namespace margay::store::testing
