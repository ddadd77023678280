#pragma once

// For tests that need a kernel to answer: each runs in a fresh network namespace, which goes with
// the test's process.

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <string>

#include "base/process.h"
#include "net/link.h"
#include "net/netlink.h"

namespace margay::dataplane {

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to make a network namespace";
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "this kernel makes no network namespaces";
    socket_.emplace(*net::NetlinkSocket::open());
    ASSERT_TRUE(net::change_link(*socket_, "lo", {.up = true}));
  }

  void add_interface(const std::string& name) {
    ASSERT_TRUE(net::create_veth(*socket_, {.near = {name, {}}, .far = {"p-" + name, {}}}));
    for (const auto& end : {name, "p-" + name})
      ASSERT_TRUE(net::change_link(*socket_, end, {.up = true}));
  }

  static std::string output(std::vector<std::string> argv) {
    auto text = base::run_checked({.argv = std::move(argv)});
    EXPECT_TRUE(text) << text.error().message;
    return text.value_or("");
  }

  std::optional<net::NetlinkSocket> socket_;
};

}  // namespace margay::dataplane
