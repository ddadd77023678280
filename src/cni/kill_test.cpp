// kill -9 of the plugin at random moments: whatever was half done, in the store or in the kernel,
// the next call puts right.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "cni/plugin.h"
#include "ipam/check.h"
#include "net/link.h"
#include "net/testing/scratch_namespace.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::cni {
namespace {

using namespace std::chrono_literals;
using net::testing::ScratchNamespace;
using std::chrono::steady_clock;
using store::sqlite::SqliteStore;

constexpr int k_kills = 20;  // of each operation
constexpr const char* k_conf = R"({"cniVersion": "1.0.0", "name": "k8s-pod-network",
  "nodename": "node1", "ipam": {"type": "calico-ipam", "assign_ipv6": "true"},
  "policy": {"type": "k8s"}})";

class KillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = net::testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    host_ = std::make_unique<ScratchNamespace>("mt-cni");
    container_ = std::make_unique<ScratchNamespace>("mt-cni");
    const auto store = open_store();
    const std::map<store::Key, const char*> objects{
        {{"ippools.projectcalico.org", "", "four"},
         R"({"metadata":{"name":"four"},"spec":{"cidr":"10.244.0.0/16"}})"},
        {{"ippools.projectcalico.org", "", "six"},
         R"({"metadata":{"name":"six"},"spec":{"cidr":"fd00:244::/48"}})"},
        {{"pods", "shop", "web"}, R"({"metadata":{"name":"web","namespace":"shop"}})"}};
    for (const auto& [key, value] : objects) ASSERT_TRUE(store->create(key, value));
    ASSERT_TRUE(base::mark_closed_start(node_state_));
  }

  std::unique_ptr<SqliteStore> open_store() const {
    return SqliteStore::open({.path = folder_.file("store.db"),
                              .durability = store::sqlite::Durability::process_crash})
        .value();
  }
  Answer call(const char* command) const {
    const std::map<std::string, std::string> variables{
        {"CNI_COMMAND", command},          {"CNI_CONTAINERID", "c1"},
        {"CNI_NETNS", container_->path()}, {"CNI_IFNAME", "eth0"},
        {"CNI_PATH", "/nowhere"},          {"CNI_ARGS", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web"}};
    return answer_plugin({.environment = [&](const char* name) -> const char* {
                            const auto found = variables.find(name);
                            return found == variables.end() ? nullptr : found->second.c_str();
                          },
                          .input = k_conf,
                          .open_store = [&](const NetworkConfig&) { return open_store(); },
                          .node_state = node_state_});
  }
  Answer call_on_host(const char* command) const {
    return host_->get().run([&] { return base::Result<Answer>(call(command)); }).value();
  }
  // The plugin as a process. No thread of ours runs at a fork: the store is open in the child only.
  pid_t start(const char* command) const {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    spdlog::set_level(spdlog::level::off);
    if (setns(host_->get().fd(), CLONE_NEWNET) != 0) _exit(2);
    _exit(call(command).status);
  }
  static int wait_for(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // True when it was killed before it ended by itself.
  bool kill_after(pid_t pid, steady_clock::duration delay) const {
    const timespec pause{0, std::chrono::duration_cast<std::chrono::nanoseconds>(delay).count()};
    nanosleep(&pause, nullptr);  // the moment of the kill is what the test chooses
    kill(pid, SIGKILL);
    return wait_for(pid) == 128 + SIGKILL;
  }
  steady_clock::duration time_of(const char* command) const {
    const auto begin = steady_clock::now();
    EXPECT_EQ(wait_for(start(command)), 0) << command;
    return steady_clock::now() - begin;
  }
  // Nothing of the pod, in the store or in the kernel.
  void expect_clean(const std::string& where) const {
    const auto store = open_store();
    const auto report = ipam::check(*store, {.in_use = std::set<base::IPAddress>{}}).value();
    EXPECT_EQ(report.assigned, 0U) << where;
    EXPECT_EQ(report.handles, 0U) << where;
    EXPECT_TRUE(report.sound()) << where;
    auto host = host_->socket(), container = container_->socket();
    EXPECT_EQ(net::list_links(host).value().size(), 1U) << where << ": only loopback";
    EXPECT_EQ(net::list_links(container).value().size(), 1U) << where << ": only loopback";
  }

  store::testing::TemporaryFolder folder_;
  const base::NodeState node_state_{.lib = folder_.file("lib"), .run = folder_.file("run")};
  std::unique_ptr<ScratchNamespace> host_, container_;
};

TEST_F(KillTest, NothingIsLeftAfterTheNextDelAndTheNextAddWorks) {
  const auto seed = static_cast<unsigned>(steady_clock::now().time_since_epoch().count());
  std::minstd_rand random(seed);
  std::map<std::string, steady_clock::duration> duration;
  for (const char* command : {"ADD", "DEL"}) duration[command] = time_of(command);
  int killed = 0;
  for (int round = 0; round < 2 * k_kills && !HasFailure(); ++round) {
    const std::string command = round % 2 == 0 ? "ADD" : "DEL";
    const std::string where = fmt::format("{} of round {}, seed {}", command, round, seed);
    if (command == "DEL") {
      ASSERT_EQ(call_on_host("ADD").status, 0) << where;
    }
    const auto delay = duration[command] * (random() % 1000) / 1000;
    if (kill_after(start(command.c_str()), delay)) ++killed;

    if (round % 3 == 0) {
      const auto added = call_on_host("ADD");
      ASSERT_EQ(added.status, 0) << where << ": " << added.output;
    }
    const auto deleted = call_on_host("DEL");
    ASSERT_EQ(deleted.status, 0) << where << ": " << deleted.output;
    expect_clean(where);
  }
  EXPECT_GT(killed, k_kills) << "most were killed in the middle of their work";
}

}  // namespace
}  // namespace margay::cni
