// Which datastore calicoctl is told to use, by file and by environment.

#include "ctl/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/file_lock.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

class Connection : public testing::Test {
 protected:
  using Variables = std::map<std::string, std::string>;

  std::string write(const std::string& name, std::string_view text) {
    std::ofstream(folder_.file(name)) << text;
    return folder_.file(name);
  }
  static ConnectionSettings from(const Variables& variables,
                                 const std::string& file = k_default_config) {
    const auto settings = read_connection_settings(file, [&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::string() : found->second;
    });
    EXPECT_TRUE(settings) << settings.error().message;
    return settings.value_or(ConnectionSettings{});
  }
  static base::Result<std::unique_ptr<store::Store>> open_local(const std::string& folder, Access) {
    return store::sqlite::SqliteStore::open(
        {.path = folder + "/store.db", .durability = store::sqlite::Durability::process_crash});
  }

  store::testing::TemporaryFolder folder_;
};

TEST_F(Connection, TheEnvironmentSaysWhichDatastore) {
  EXPECT_EQ(from({}).type, "kubernetes");
  EXPECT_EQ(from({{"MARGAY_DATA_DIR", "/d"}}).type, "embedded");
  EXPECT_EQ(from({{"ETCD_ENDPOINTS", "http://e"}}).type, "etcdv3");
  EXPECT_EQ(from({{"MARGAY_DATA_DIR", "/d"}, {"DATASTORE_TYPE", "kubernetes"}}).type, "kubernetes");
  EXPECT_EQ(from({{"KUBECONFIG", "/k"}, {"K8S_CURRENT_CONTEXT", "c"}}).context, "c");
  EXPECT_EQ(from({{"HOME", folder_.file("")}}).kubeconfig, "") << "there is none";
}

TEST_F(Connection, AFileIsUsedInsteadOfTheEnvironment) {
  const auto file = write("calicoctl.cfg", R"(
    apiVersion: projectcalico.org/v3
    kind: CalicoAPIConfig
    metadata: {}
    spec: {datastoreType: embedded, dataDir: /data, k8sClientQPS: 5, usePodCIDR: true})");
  const auto settings = from({{"DATASTORE_TYPE", "kubernetes"}}, file);
  EXPECT_EQ(settings.type, "embedded");
  EXPECT_EQ(settings.data_dir, "/data");
}

TEST_F(Connection, AllThatIsWrongWithAFileIsToldAtOnce) {
  const auto file = write("calicoctl.cfg", "kind: Foo\nspec: {datastoreType: 5, colour: blue}");
  const auto settings = read_connection_settings(file, [](const char*) { return std::string(); });
  ASSERT_FALSE(settings);
  for (const auto* part : {"apiVersion", "kind", "spec.datastoreType", "spec.colour"})
    EXPECT_THAT(settings.error().message, HasSubstr(part));
  EXPECT_FALSE(
      read_connection_settings(folder_.file("none"), [](const char*) { return std::string(); }));
}

TEST_F(Connection, WhatIsNotThereIsRefusedByName) {
  const auto refused = [](const ConnectionSettings& settings) {
    const auto store = connect(settings, open_local, Access::read);
    EXPECT_FALSE(store);
    return store ? std::string() : store.error().message;
  };
  EXPECT_THAT(refused({.type = "etcdv3"}), HasSubstr("etcdv3 is not there yet"));
  EXPECT_THAT(refused({.type = "mongo"}), HasSubstr("unknown datastore type 'mongo'"));
  EXPECT_THAT(refused({.type = "embedded"}), HasSubstr("MARGAY_DATA_DIR"));
  EXPECT_THAT(refused({.type = "embedded", .data_dir = "/no/such"}), HasSubstr("/no/such"));
  EXPECT_THAT(refused({.type = "kubernetes", .kubeconfig = "/no/such"}), HasSubstr("/no/such"));
}

TEST_F(Connection, WhereNoServerRunsTheStoreIsOpenedAndLetGo) {
  const ConnectionSettings settings{.type = "embedded", .data_dir = folder_.file("")};
  for (int i = 0; i < 2; ++i) {
    const auto store = connect(settings, open_local, Access::write);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_FALSE(base::FileLock::is_held(folder_.file("lock"))) << "that is a server's place";
  }
}

TEST_F(Connection, AServerThatRunsIsAskedByItsKubeconfig) {
  const auto server = base::FileLock::acquire(folder_.file("lock"));
  ASSERT_TRUE(server);
  write("kubeconfig", R"(
    current-context: c
    contexts: [{name: c, context: {cluster: s, user: u}}]
    clusters: [{name: s, cluster: {server: "https://127.0.0.1:1"}}]
    users: [{name: u, user: {token: t}}])");
  const ConnectionSettings settings{.type = "embedded", .data_dir = folder_.file("")};
  bool is_opened = false;
  const auto store = connect(
      settings,
      [&](const std::string& folder, Access access) {
        is_opened = true;
        return open_local(folder, access);
      },
      Access::write);
  EXPECT_TRUE(store) << store.error().message;
  EXPECT_FALSE(is_opened);
}

}  // namespace
}  // namespace margay::ctl
