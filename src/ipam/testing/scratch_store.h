#pragma once

// An empty embedded store of a test's own, and short ways to put pools and nodes in it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/process.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::ipam::testing {

class ScratchStore {
 public:
  ScratchStore()
      : store_(store::sqlite::SqliteStore::open(
                   {.path = folder_.file("store.db"),
                    .durability = store::sqlite::Durability::process_crash})
                   .value()) {}

  store::Store& get() { return *store_; }

  struct PoolFields {
    std::string name;
    std::string cidr;
    int block_size = 0;
    std::string node_selector = "all()";
    bool disabled = false;
    std::string allowed_uses = R"(["Workload","Tunnel"])";
  };
  void add_pool(const PoolFields& pool) {
    put("ippools.projectcalico.org", {}, pool.name,
        fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"IPPool",
                        "metadata":{{"name":"{}"}},
                        "spec":{{"cidr":"{}","blockSize":{},"nodeSelector":"{}","disabled":{},
                                 "allowedUses":{}}}}})",
                    pool.name, pool.cidr, pool.block_size, pool.node_selector, pool.disabled,
                    pool.allowed_uses));
  }
  // `labels` as JSON: R"({"zone":"a"})".
  void add_node(const std::string& name, const std::string& labels = "{}") {
    put("nodes", {}, name,
        fmt::format(R"({{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{}","labels":{}}}}})",
                    name, labels));
  }
  // Creates or replaces.
  void put(const std::string& resource, const std::string& ns, const std::string& name,
           const std::string& value) {
    const store::Key key{resource, ns, name};
    if (!store_->create(key, value)) {
      const auto updated = store_->update(key, value, std::nullopt);
      ASSERT_TRUE(updated) << updated.error().message;
    }
  }
  void remove(const std::string& resource, const std::string& ns, const std::string& name) {
    ASSERT_TRUE(store_->remove({resource, ns, name}, std::nullopt));
  }

 private:
  store::testing::TemporaryFolder folder_;
  std::unique_ptr<store::sqlite::SqliteStore> store_;
};

}  // namespace margay::ipam::testing
