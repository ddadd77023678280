#include "apiserver/front_proxy.h"

#include <gmock/gmock.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "apiserver/pki.h"

namespace margay::apiserver {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate parse(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  return {PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free};
}

class FrontProxyTest : public testing::Test {
 protected:
  Certificate sign(const KeyPair& authority, const std::string& name,
                   CertificateRequest::Usage usage = CertificateRequest::Usage::client,
                   base::Clock::Wall now = base::SystemClock().wall_time()) const {
    return parse(
        sign_certificate(authority, {.usage = usage, .common_name = name}, now)->certificate);
  }

  const base::Clock::Wall now_ = base::SystemClock().wall_time();
  const KeyPair proxies_ = make_authority("front-proxy-ca", now_).value();
  const KeyPair others_ = make_authority("margay", now_).value();
  const std::unique_ptr<FrontProxy> proxy_ =
      FrontProxy::create(
          {.authority = proxies_.certificate, .allowed_names = {"front-proxy-client"}})
          .value();
};

TEST_F(FrontProxyTest, IsKnownByItsCertificateAlone) {
  using Usage = CertificateRequest::Usage;
  const auto long_ago = now_ - 3 * k_certificate_lifetime;
  EXPECT_TRUE(proxy_->is_proxy(sign(proxies_, "front-proxy-client").get()));
  EXPECT_FALSE(proxy_->is_proxy(sign(proxies_, "someone").get())) << "a name not allowed";
  EXPECT_FALSE(proxy_->is_proxy(sign(others_, "front-proxy-client").get())) << "another authority";
  EXPECT_FALSE(proxy_->is_proxy(sign(proxies_, "front-proxy-client", Usage::server).get()))
      << "a server's certificate";
  EXPECT_FALSE(
      proxy_->is_proxy(sign(proxies_, "front-proxy-client", Usage::client, long_ago).get()))
      << "expired";
  const auto any = FrontProxy::create({.authority = proxies_.certificate}).value();
  EXPECT_TRUE(any->is_proxy(sign(proxies_, "someone").get())) << "no list, any name";
}

TEST_F(FrontProxyTest, TakesAnotherAuthorityAndKeepsTheOldOneWhenThatCannotBeRead) {
  const auto of_proxies = sign(proxies_, "front-proxy-client");
  const auto of_others = sign(others_, "front-proxy-client");
  EXPECT_FALSE(proxy_->set_authority("half a cert"));
  EXPECT_TRUE(proxy_->is_proxy(of_proxies.get()));
  ASSERT_TRUE(proxy_->set_authority(others_.certificate + proxies_.certificate));
  EXPECT_TRUE(proxy_->is_proxy(of_proxies.get()) && proxy_->is_proxy(of_others.get()));
  ASSERT_TRUE(proxy_->set_authority(others_.certificate));
  EXPECT_FALSE(proxy_->is_proxy(of_proxies.get()));
  EXPECT_TRUE(proxy_->is_proxy(of_others.get()));
}

TEST_F(FrontProxyTest, NeedsAnAuthority) {
  EXPECT_FALSE(FrontProxy::create({}));
  EXPECT_FALSE(FrontProxy::create({.authority = "-----BEGIN CERTIFICATE-----\nAAAA\n"}));
}

TEST(FrontProxyHeadersTest, SayWhoAsks) {
  const HeaderField headers[] = {{"Accept", "*/*"},
                                 {"X-Remote-User", "alice"},
                                 {"x-remote-group", "readers"},
                                 {"X-Remote-Group", "system:authenticated"},
                                 {"X-Remote-Uid", "u-1"},
                                 {"X-Remote-Extra-Example.com%2Fscopes", "a"},
                                 {"X-Remote-Extra-example.com%2fScopes", "b"},
                                 {"X-Remote-Extra-", "nothing"}};
  const auto user = user_of_headers(headers);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->name, "alice");
  EXPECT_EQ(user->uid, "u-1");
  EXPECT_THAT(user->groups, testing::ElementsAre("readers", "system:authenticated"));
  EXPECT_THAT(user->extra, testing::ElementsAre(testing::Pair("example.com/scopes",
                                                              testing::ElementsAre("a", "b"))));
}

TEST(FrontProxyHeadersTest, AreNobodyWithoutAUser) {
  const HeaderField headers[] = {{"X-Remote-Group", "system:masters"}, {"X-Remote-User", ""}};
  EXPECT_FALSE(user_of_headers(headers));
}

}  // namespace
}  // namespace margay::apiserver
