#include "store/kubernetes/kubeconfig.h"

#include <gtest/gtest.h>

#include <fstream>

#include "store/testing/temporary_folder.h"

namespace margay::store::kubernetes {
namespace {

using base::ErrorCode;

class Kubeconfig : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    std::ofstream(folder_.file(name)) << text;
  }
  base::Result<ClusterAccess> load(std::string_view text, std::string_view context = {}) {
    write("config", text);
    return load_kubeconfig(folder_.file("config"), context);
  }
  store::testing::TemporaryFolder folder_;
};

constexpr std::string_view k_two_contexts = R"(
apiVersion: v1
kind: Config
current-context: first
contexts:
- name: first
  context: {cluster: one, user: alice, namespace: alpha}
- name: second
  context: {cluster: two, user: bob}
clusters:
- name: one
  cluster: {server: "https://10.0.0.1:6443", certificate-authority: ca.pem}
- name: two
  cluster: {server: "https://10.0.0.2", insecure-skip-tls-verify: true, tls-server-name: api}
users:
- name: alice
  user: {client-certificate-data: Y2VydA==, client-key: keys/alice.pem}
- name: bob
  user: {token: secret}
)";

TEST_F(Kubeconfig, TakesTheCurrentContextAndFilesBesideIt) {
  std::filesystem::create_directory(folder_.file("keys"));
  write("ca.pem", "authority");
  write("keys/alice.pem", "key");
  const auto access = load(k_two_contexts);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->ca_pem, "authority");
  EXPECT_EQ(access->certificate_pem, "cert");
  EXPECT_EQ(access->key_pem, "key");
  EXPECT_EQ(access->ns, "alpha");
  EXPECT_FALSE(access->insecure_skip_verify);
}

TEST_F(Kubeconfig, TakesTheContextAskedFor) {
  const auto access = load(k_two_contexts, "second");
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://10.0.0.2");
  EXPECT_EQ(access->server_name, "api");
  EXPECT_EQ(access->token, "secret");
  EXPECT_TRUE(access->insecure_skip_verify);
}

TEST_F(Kubeconfig, RefusesWhatItCannotUseAndSaysWhere) {
  const std::string head =
      "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";
  const std::string cluster = "clusters: [{name: c, cluster: {server: 'https://h'}}]\n";
  struct Case {
    const char* name;
    std::string text;
    ErrorCode code;
    const char* says;
  };
  const Case cases[] = {
      {"no context", cluster, ErrorCode::invalid, "current-context"},
      {"an unknown cluster", head, ErrorCode::invalid,
       "clusters: Required value: there is no \"c\""},
      {"an unknown user", head + cluster, ErrorCode::invalid,
       "users: Required value: there is no \"u\""},
      {"no server", head + "clusters: [{name: c, cluster: {}}]\n", ErrorCode::invalid,
       "clusters[c].cluster.server"},
      {"a proxy", head + "clusters: [{name: c, cluster: {server: s, proxy-url: p}}]\n",
       ErrorCode::unsupported, "clusters[c].cluster.proxy-url"},
      {"a credential program", head + cluster + "users: [{name: u, user: {exec: {command: x}}}]\n",
       ErrorCode::unsupported, "users[u].user.exec"},
      {"a missing file",
       head + cluster + "users: [{name: u, user: {client-certificate: none.pem}}]\n",
       ErrorCode::not_found, "users[u].user.client-certificate"},
      {"bad base64", head + cluster + "users: [{name: u, user: {client-key-data: '!!!!'}}]\n",
       ErrorCode::invalid, "users[u].user.client-key-data: Invalid value: is not base64"},
      {"a token that is no text, which is not told",
       head + cluster + "users: [{name: u, user: {token: 31337}}]\n", ErrorCode::invalid,
       "users[u].user.token: Invalid value: must be a string"},
      {"clusters that are no list", head + "clusters: {name: c}\n", ErrorCode::invalid,
       "clusters: Invalid value: {\"name\":\"c\"}: must be a list"},
      {"two mistakes", head + cluster + "users: [{name: u, user: {token: [], tokenFile: 1}}]\n",
       ErrorCode::invalid,
       "[users[u].user.token: Invalid value: must be a string, "
       "users[u].user.tokenFile: Invalid value: must be a string]"},
      {"not YAML", "a: [", ErrorCode::invalid, "YAML"},
      {"nothing", "", ErrorCode::invalid, "not a kubeconfig"},
  };
  for (const auto& [name, text, code, says] : cases) {
    const auto access = load(text);
    ASSERT_FALSE(access) << name;
    EXPECT_EQ(access.error().code, code) << name << ": " << access.error().message;
    EXPECT_NE(access.error().message.find(says), std::string::npos)
        << name << ": " << access.error().message;
    EXPECT_NE(access.error().message.find(folder_.file("config")), std::string::npos) << name;
  }
}

TEST_F(Kubeconfig, SaysThatTheFileIsMissing) {
  const auto access = load_kubeconfig(folder_.file("nowhere"));
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().code, ErrorCode::not_found);
  EXPECT_EQ(access.error().message,
            "kubeconfig: read " + folder_.file("nowhere") + ": No such file or directory");
}

TEST_F(Kubeconfig, FindsTheServerFromInsideAPod) {
  write("token", "secret\n");
  write("ca.crt", "authority");
  write("namespace", "kube-system");
  const auto access =
      load_in_cluster({.folder = folder_.file(""), .host = "fd00::1", .port = "443"});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
  EXPECT_EQ(access->ca_pem, "authority");
  EXPECT_EQ(access->ns, "kube-system");
  EXPECT_FALSE(access->token_file.empty());
}

TEST_F(Kubeconfig, SaysThatItIsNotInAPod) {
  EXPECT_EQ(load_in_cluster({.folder = folder_.file("")}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace margay::store::kubernetes
