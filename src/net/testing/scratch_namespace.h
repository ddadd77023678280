#pragma once

// A network namespace of a test's own: made with a unique name, gone at the end of the test.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <string_view>

#include "net/netlink.h"
#include "net/network_namespace.h"

namespace margay::net::testing {

class ScratchNamespace {
 public:
  // `prefix` says whose it is, should one be left behind: "mt-net-<pid>-<n>".
  explicit ScratchNamespace(std::string_view prefix = "mt-net")
      : name_(unique_name(prefix)), namespace_(NetworkNamespace::create(name_)) {}
  ~ScratchNamespace() { EXPECT_TRUE(NetworkNamespace::remove(name_)); }
  ScratchNamespace(const ScratchNamespace&) = delete;
  ScratchNamespace& operator=(const ScratchNamespace&) = delete;

  const std::string& name() const { return name_; }
  std::string path() const { return NetworkNamespace::path_of(name_); }
  // Throws, and so fails the test, when the namespace could not be made.
  const NetworkNamespace& get() const { return namespace_.value(); }
  NetlinkSocket socket(int protocol = NETLINK_ROUTE) const {
    return NetlinkSocket::open(get(), protocol).value();
  }

 private:
  static std::string unique_name(std::string_view prefix) {
    static std::atomic<unsigned> count = 0;
    return std::string(prefix) + "-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  }

  std::string name_;
  base::Result<NetworkNamespace> namespace_;
};

// Why a network test cannot run here, or nothing. Use as: if (...) GTEST_SKIP() << reason.
inline std::string why_no_namespaces() {
  return geteuid() == 0 ? "" : "network namespaces need root";
}

}  // namespace margay::net::testing
