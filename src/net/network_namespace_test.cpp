#include "net/network_namespace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "net/link.h"
#include "net/sysctl.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::Result;
using testing::ScratchNamespace;

class NetworkNamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(NetworkNamespaceTest, HasANameAndLoopbackUp) {
  const ScratchNamespace scratch;
  const auto names = NetworkNamespace::names();
  ASSERT_TRUE(names);
  EXPECT_NE(std::ranges::find(*names, scratch.name()), names->end());
  NetlinkSocket socket = scratch.socket();
  const auto loopback = get_link(socket, "lo");
  ASSERT_TRUE(loopback);
  EXPECT_TRUE(loopback->up);
}

TEST_F(NetworkNamespaceTest, IsTheSameHoweverItIsOpened) {
  const ScratchNamespace scratch;
  const auto by_name = NetworkNamespace::open_named(scratch.name());
  const auto mine = NetworkNamespace::current();
  ASSERT_TRUE(by_name && mine);
  EXPECT_TRUE(by_name->is(scratch.get()));
  EXPECT_FALSE(by_name->is(*mine));
}

TEST_F(NetworkNamespaceTest, NamesAreTakenOnce) {
  const ScratchNamespace scratch;
  const auto again = NetworkNamespace::create(scratch.name());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  EXPECT_TRUE(NetworkNamespace::open_named(scratch.name())) << "the first one is untouched";
}

TEST_F(NetworkNamespaceTest, RemovalIsIdempotentAndLeavesNoName) {
  const ScratchNamespace scratch;
  EXPECT_TRUE(NetworkNamespace::remove(scratch.name()));
  EXPECT_TRUE(NetworkNamespace::remove(scratch.name()));
  const auto gone = NetworkNamespace::open_named(scratch.name());
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::not_found);
}

TEST_F(NetworkNamespaceTest, ALeftoverFileIsNoNamespace) {
  const ScratchNamespace scratch;  // so that the directory exists
  const std::string name = scratch.name() + "-leftover";
  std::ofstream(NetworkNamespace::path_of(name)).close();
  const auto opened = NetworkNamespace::open_named(name);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  EXPECT_TRUE(NetworkNamespace::remove(name));
}

TEST_F(NetworkNamespaceTest, RefusesNamesThatArePaths) {
  for (const char* name : {"", ".", "..", "a/b"}) {
    EXPECT_EQ(NetworkNamespace::create(name).error().code, ErrorCode::invalid) << name;
  }
}

TEST_F(NetworkNamespaceTest, RunWorksInsideAndLeavesTheCallerWhereItWas) {
  const ScratchNamespace scratch;
  const auto before = NetworkNamespace::current();
  const auto inside = scratch.get().run([] { return NetworkNamespace::current(); });
  const auto after = NetworkNamespace::current();
  ASSERT_TRUE(before && inside && after);
  EXPECT_TRUE(inside->is(scratch.get()));
  EXPECT_TRUE(after->is(*before));
}

TEST_F(NetworkNamespaceTest, RunPassesErrorsAndExceptionsThrough) {
  const ScratchNamespace scratch;
  const auto failed =
      scratch.get().run([]() -> Result<int> { return base::fail(ErrorCode::conflict, "no"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::conflict);
  const auto throws = []() -> Result<> { throw std::logic_error("bug"); };
  EXPECT_THROW(EXPECT_FALSE(scratch.get().run(throws)), std::logic_error);
}

TEST_F(NetworkNamespaceTest, SysctlsAreOfTheNamespaceOneRunsIn) {
  const ScratchNamespace scratch;
  const char* path = "net/ipv4/ip_forward";
  const auto outside = read_sysctl(path);
  ASSERT_TRUE(outside);
  const std::string other = *outside == "1" ? "0" : "1";
  const auto inside = scratch.get().run([&]() -> Result<std::string> {
    MARGAY_CHECK(write_sysctl(path, other));
    return read_sysctl(path);
  });
  ASSERT_TRUE(inside) << inside.error().message;
  EXPECT_EQ(*inside, other);
  EXPECT_EQ(read_sysctl(path).value(), *outside);
}

TEST(Sysctl, ErrorsNameTheParameter) {
  const auto missing = write_sysctl("net/ipv4/conf/no-such-link/proxy_arp", "1");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().message,
            "sysctl net/ipv4/conf/no-such-link/proxy_arp = 1: No such file or directory");
  EXPECT_EQ(read_sysctl("net/../../etc/passwd").error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace margay::net
