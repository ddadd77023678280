// The commands as a shell sees them: arguments in, text and exit status out.

#include "ctl/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>

#include "ctl/cluster.h"
#include "ctl/flow.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* k_namespace =
    R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}})";
constexpr const char* k_web =
    R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},)"
    R"("spec":{"containers":[{"name":"c","image":"i"}]},"status":{"podIP":"10.0.0.1"}})";
constexpr const char* k_deny =
    R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",)"
    R"("metadata":{"name":"deny","namespace":"shop"},"spec":{"podSelector":{},)"
    R"("policyTypes":["Ingress"]}})";

struct Outcome {
  int status = -1;
  std::string out, err;
};

class Commands : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) {
    const std::string path = folder_.file(name);
    std::ofstream(path) << text;
    return path;
  }

  static Outcome run(std::vector<std::string> arguments) {
    Outcome outcome;
    CLI::App app;
    add_command(app, {}, outcome.status);
    std::ranges::reverse(arguments);  // as CLI11 wants them
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      outcome.status = app.exit(error);
    }
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  std::string objects() {
    write("namespace.json", k_namespace);
    write("web.json", k_web);
    write("deny.json", k_deny);
    return folder_.file("");
  }

 private:
  store::testing::TemporaryFolder folder_;
};

TEST_F(Commands, ExplainPrintsTextOrJSON) {
  const std::vector<std::string> question = {
      "ctl", "explain", "-f", objects(), "--from", "192.0.2.1", "--to", "shop/web", "--port", "80"};
  const Outcome text = run(question);
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.err, "");
  EXPECT_THAT(text.out, StartsWith("tcp port 80 from 192.0.2.1 to shop/web (10.0.0.1): deny\n"));

  std::vector<std::string> as_json = question;
  as_json.insert(as_json.end(), {"-o", "json"});
  EXPECT_THAT(run(as_json).out, StartsWith(R"({"verdict":"deny","from":{"pod":null,)"));
}

TEST_F(Commands, SimulateReadsQueriesAndReportsBadOnes) {
  const std::string files = objects();
  const auto queries = write(
      "queries.jsonl", R"({"id":1,"from":"192.0.2.1","to":"shop/web","protocol":"tcp","port":80})"
                       "\n");
  const Outcome good = run({"ctl", "simulate", "-f", files + "/web.json", files + "/namespace.json",
                            "--queries", queries});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.out, R"({"id":1,"verdict":"allow","egress":null,"ingress":)"
                      R"({"verdict":"allow","policy":"profile kns.shop","rule":0,"tier":null}})"
                      "\n");

  const auto bad = write("bad.jsonl", "{}\n");
  const Outcome outcome = run({"ctl", "simulate", "-f", files, "--queries", bad, "-o", "jsonl"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, R"({"id":null,"error":"line 1: [from: Required value: must be set, )"
                         R"(to: Required value: must be set, )"
                         R"(protocol: Required value: must be set]"})"
                         "\n");
  EXPECT_THAT(outcome.err, HasSubstr("1 of 1 queries could not be answered"));
}

TEST_F(Commands, FailWithAMessage) {
  const std::string files = objects();
  const std::string broken = write("broken.yaml", "a: [\n");
  struct Case {
    const char* name;
    std::vector<std::string> arguments;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"a file that is not there",
       {"ctl", "explain", "-f", files + "/none.yaml", "--from", "1.1.1.1", "--to", "1.1.1.2",
        "--port", "1"},
       "none.yaml"},
      {"a file that is no YAML",
       {"ctl", "explain", "-f", broken, "--from", "1.1.1.1", "--to", "1.1.1.2", "--port", "1"},
       "margay ctl explain: "},
      {"no queries", {"ctl", "simulate", "-f", files, "--queries", files + "/none"}, "none"},
      {"a pod that is not there",
       {"ctl", "explain", "-f", files + "/web.json", "--from", "shop/x", "--to", "1.1.1.2",
        "--port", "1"},
       "from: there is no pod shop/x"},
      {"no port",
       {"ctl", "explain", "-f", files + "/web.json", "--from", "shop/web", "--to", "1.1.1.2"},
       "tcp needs a port"},
      {"a kubeconfig that is not there",
       {"ctl", "explain", "--kubeconfig", files + "/none", "--from", "1.1.1.1", "--to", "1.1.1.2",
        "--port", "1"},
       "none"},
      {"an output that is none",
       {"ctl", "explain", "-f", files, "--from", "1.1.1.1", "--to", "1.1.1.2", "-o", "xml"},
       "xml"},
  };
  for (const auto& [name, arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_NE(outcome.status, 0) << name;
    EXPECT_EQ(outcome.out, "") << name;
    EXPECT_THAT(outcome.err, HasSubstr(message)) << name;
  }
}

TEST_F(Commands, SayWhatToNameWhereNeitherFilesNorAClusterAre) {
  const char* before = std::getenv("HOME");
  const std::string home = before ? before : "/";
  unsetenv("KUBECONFIG");
  unsetenv("KUBERNETES_SERVICE_HOST");
  setenv("HOME", objects().c_str(), 1);
  const Outcome outcome =
      run({"ctl", "explain", "--from", "1.1.1.1", "--to", "1.1.1.2", "--port", "1"});
  setenv("HOME", home.c_str(), 1);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("neither files (-f) nor a cluster (--kubeconfig, $KUBECONFIG) "
                                     "are given: kubeconfig: read "));
}

TEST(Cluster, IsReadFromAStore) {
  const store::testing::TemporaryFolder folder;
  auto store = store::sqlite::SqliteStore::open({.path = folder.file("store.db")});
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->create({"namespaces", "", "shop"}, k_namespace));
  ASSERT_TRUE((*store)->create({"pods", "shop", "web"}, k_web));
  ASSERT_TRUE((*store)->create({"networkpolicies.networking.k8s.io", "shop", "deny"}, k_deny));
  ASSERT_TRUE((*store)->create({"globalnetworkpolicies.projectcalico.org", "", "unreadable"},
                               R"({"metadata":{"name":"unreadable"},"spec":{"selector":"=="}})"));
  ASSERT_TRUE((*store)->create({"globalnetworkpolicies.projectcalico.org", "", "cut-off"}, "{"));

  const auto cluster = Cluster::from_store(**store);
  ASSERT_TRUE(cluster) << cluster.error().message;
  EXPECT_THAT(cluster->warnings(),
              testing::UnorderedElementsAre(HasSubstr("unreadable"), HasSubstr("cut-off")));
  const auto answer =
      FlowJudge(*cluster).judge({.from = "192.0.2.1", .to = "10.0.0.1", .port = 80}, false);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->to.name, "shop/web");
  EXPECT_EQ(answer->verdict(), policy::Verdict::deny);
}

}  // namespace
}  // namespace margay::ctl
