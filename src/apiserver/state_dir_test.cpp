#include "apiserver/state_dir.h"

#include <gmock/gmock.h>

#include <fstream>

#include "apiserver/router_fixture.h"
#include "apiserver/tokens.h"
#include "base/file.h"

namespace margay::apiserver {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StateDirTest : public testing::Test {
 protected:
  // A start of a server, as far as its files go. Returns the administrator's kubeconfig.
  std::string start(const std::string& host = "127.0.0.1",
                    const std::string& url = "https://127.0.0.1:6443") {
    auto state = StateDir::open(dir_);
    EXPECT_TRUE(state) << state.error().message;
    EXPECT_TRUE(state->ensure_pki(host, now_));
    EXPECT_TRUE(state->ensure_tokens());
    EXPECT_TRUE(state->ensure_kubeconfigs(url));
    EXPECT_TRUE(is_usable(state->server(), state->authority_certificate(),
                          {"127.0.0.1", "::1", "localhost", host}, now_));
    return *base::read_file(dir_ / "kubeconfig");
  }
  static fs::perms mode(const fs::path& path) { return fs::status(path).permissions(); }

  TemporaryFolder folder_;
  fs::path dir_ = folder_.path() / "data";
  base::Clock::Wall now_ = base::SystemClock().wall_time();
};

TEST_F(StateDirTest, FirstStartWritesEverythingPrivately) {
  const auto kubeconfig = start();
  EXPECT_THAT(kubeconfig, HasSubstr("server: https://127.0.0.1:6443\n"));
  for (const auto* file : {"kubeconfig", "agent.kubeconfig", "tokens.csv", "pki/ca.key",
                           "pki/apiserver.key", "pki/admin.key"})
    EXPECT_EQ(mode(dir_ / file), fs::perms::owner_read | fs::perms::owner_write) << file;
  EXPECT_EQ(mode(dir_), fs::perms::owner_all);
}

TEST_F(StateDirTest, NextStartChangesNothing) {
  const auto first = start();
  EXPECT_EQ(start(), first);
}

TEST_F(StateDirTest, CertificatesAreRenewedWhileRunning) {
  auto state = StateDir::open(dir_);
  ASSERT_TRUE(state && state->ensure_pki("127.0.0.1", now_));
  const auto first = state->server();
  EXPECT_EQ(state->renew_pki("127.0.0.1", now_), false);
  EXPECT_EQ(state->server(), first);
  const auto late = now_ + k_certificate_lifetime - std::chrono::hours(24);
  EXPECT_EQ(state->renew_pki("127.0.0.1", late), true);
  EXPECT_NE(state->server(), first);
  EXPECT_TRUE(is_usable(state->server(), state->authority_certificate(), {"127.0.0.1"}, late));
  EXPECT_EQ(base::read_file(dir_ / "pki/apiserver.crt"), state->server().certificate);
}

TEST_F(StateDirTest, CertificatesReplacedOnTheDiskAreTakenOverOnceTheyAreWhole) {
  auto state = StateDir::open(dir_);
  ASSERT_TRUE(state && state->ensure_pki("127.0.0.1", now_));
  const auto first = state->server();
  auto other = StateDir::open(folder_.path() / "other");
  ASSERT_TRUE(other);
  for (const auto* file : {"pki/ca.crt", "pki/ca.key"})
    fs::copy_file(dir_ / file, folder_.path() / "other" / file);
  ASSERT_TRUE(other->ensure_pki("127.0.0.1", now_));
  ASSERT_NE(other->server(), first);
  ASSERT_TRUE(base::write_file(dir_ / "pki/apiserver.crt", other->server().certificate, 0644));
  EXPECT_EQ(state->renew_pki("127.0.0.1", now_), false) << "the key is still the old one";
  EXPECT_EQ(state->server(), first);
  EXPECT_EQ(base::read_file(dir_ / "pki/apiserver.crt"), other->server().certificate)
      << "left alone";
  ASSERT_TRUE(base::write_file(dir_ / "pki/apiserver.key", other->server().key, 0600));
  EXPECT_EQ(state->renew_pki("127.0.0.1", now_), true);
  EXPECT_EQ(state->server(), other->server());
}

TEST_F(StateDirTest, StartKilledBeforeAnyFileIsFinishedByTheNext) {
  start();
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir_))
    if (entry.is_regular_file() && entry.path().filename() != "lock" &&
        entry.path().filename() != "ca.key")  // which is written before its certificate
      files.push_back(entry.path());
  ASSERT_EQ(files.size(), 8u);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    fs::remove(file);
    std::ofstream(file.string() + ".tmp") << "half";
    const auto kubeconfig = start();
    EXPECT_EQ(start(), kubeconfig);
    EXPECT_TRUE(fs::exists(file));
  }
}

// What every client trusts is not replaced because its key is kept elsewhere, or cannot be read.
TEST_F(StateDirTest, AnAuthorityWithoutItsKeyStays) {
  start();
  const auto certificate = base::read_file(dir_ / "pki/ca.crt").value();
  const auto start_again = [&] {
    auto state = StateDir::open(dir_).value();
    return state.ensure_pki("127.0.0.1", now_);
  };
  fs::rename(dir_ / "pki/ca.key", folder_.path() / "kept.key");
  const auto missing = start_again();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("pki/ca.key is not: put it back"));
  fs::create_directory(dir_ / "pki/ca.key");
  EXPECT_FALSE(start_again()) << "it cannot be read";
  EXPECT_EQ(base::read_file(dir_ / "pki/ca.crt"), certificate);
  fs::remove(dir_ / "pki/ca.key");
  fs::rename(folder_.path() / "kept.key", dir_ / "pki/ca.key");
  start();
  EXPECT_EQ(base::read_file(dir_ / "pki/ca.crt"), certificate);
}

TEST_F(StateDirTest, KeyOfAnotherCertificateIsReplaced) {
  start();
  fs::copy_file(dir_ / "pki/admin.key", dir_ / "pki/apiserver.key",
                fs::copy_options::overwrite_existing);
  start();
}

TEST_F(StateDirTest, CertificatesNearTheirEndAreRenewed) {
  const auto first = start();
  now_ += k_certificate_lifetime - k_renewal_margin / 2;
  EXPECT_NE(start(), first);
}

TEST_F(StateDirTest, NewListenAddressIsServed) {
  start();
  EXPECT_THAT(start("192.0.2.1", "https://192.0.2.1:7443"),
              HasSubstr("server: https://192.0.2.1:7443\n"));
}

TEST_F(StateDirTest, WhatTheUserAddedToTheKubeconfigStays) {
  start();
  std::ofstream(dir_ / "kubeconfig", std::ios::app) << "# mine\n";
  EXPECT_THAT(start(), HasSubstr("# mine\n"));
}

TEST_F(StateDirTest, OneServerAtATime) {
  const auto first = StateDir::open(dir_);
  ASSERT_TRUE(first);
  const auto second = StateDir::open(dir_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::conflict);
}

TEST(PkiTest, OnlyCertificatesOfTheAuthorityAreUsable) {
  const auto now = base::SystemClock().wall_time();
  const auto ours = make_authority("ours", now);
  const auto other = make_authority("other", now);
  ASSERT_TRUE(ours && other);
  const auto pair = sign_certificate(*other, {.common_name = "x"}, now);
  ASSERT_TRUE(pair);
  EXPECT_TRUE(is_usable(*pair, other->certificate, {}, now));
  EXPECT_FALSE(is_usable(*pair, ours->certificate, {}, now));
  EXPECT_FALSE(is_usable(*pair, other->certificate, {"localhost"}, now));
  EXPECT_FALSE(is_usable({"", ""}, ours->certificate, {}, now));
}

TEST(TokensTest, ReadsKubernetesForm) {
  const auto tokens = parse_tokens("# comment\nt1,alice,1,\"a,b\"\r\n\nt2,bob,2\n");
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_EQ(tokens->at(0).user.name, "alice");
  EXPECT_THAT(tokens->at(0).user.groups, testing::ElementsAre("a", "b"));
  EXPECT_TRUE(tokens->at(1).user.groups.empty());
}

TEST(TokensTest, MalformedLineSaysWhich) {
  for (const auto* csv : {"t,u\n", "ok,u,1\n,u,1\n", "t,u,1,\"a\n", "t,u,1,a,b\n"}) {
    const auto tokens = parse_tokens(csv);
    ASSERT_FALSE(tokens) << csv;
    EXPECT_THAT(tokens.error().message, HasSubstr("line ")) << csv;
  }
}

TEST(TokensTest, FileIsReadAgainWhenItChanges) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tokens.csv";
  ASSERT_TRUE(base::write_file(path, "t1,alice,1\n", 0600));
  const auto tokens = TokenFile::open(path);
  ASSERT_TRUE(tokens);
  EXPECT_EQ((*tokens)->find("t1")->name, "alice");
  EXPECT_FALSE((*tokens)->find("t2"));
  ASSERT_TRUE(base::write_file(path, "t2,bob,2\n", 0600));
  EXPECT_FALSE((*tokens)->find("t1"));
  EXPECT_EQ((*tokens)->find("t2")->name, "bob");
  std::ofstream(path, std::ios::trunc).flush();
  EXPECT_TRUE((*tokens)->find("t2")) << "emptied, to be written anew";
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(2));
  EXPECT_FALSE((*tokens)->find("t2")) << "emptied for good";
  ASSERT_TRUE(base::write_file(path, "t2,bob,2\n", 0600));
  EXPECT_TRUE((*tokens)->find("t2"));
  ASSERT_TRUE(base::write_file(path, "broken\n", 0600));
  EXPECT_TRUE((*tokens)->find("t2")) << "an edit in progress locks nobody out";
  fs::remove(path);
  EXPECT_FALSE((*tokens)->find("t2")) << "no file, no tokens";
}

}  // namespace
}  // namespace margay::apiserver
