#include "base/host_name.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace margay::base {
namespace {

// On a thread whose machine has that name.
void with_name(std::string_view name, const auto& check) {
  std::string refused;
  std::thread([&] {
    if (::unshare(CLONE_NEWUTS) != 0 || ::sethostname(name.data(), name.size()) != 0)
      refused = std::strerror(errno);
    else
      check();
  }).join();
  if (!refused.empty()) GTEST_SKIP() << "a host name cannot be set here: " << refused;
}

TEST(HostName, IsInLowerCase) {
  with_name("Node-A.Example", [] { EXPECT_EQ(host_name(), "node-a.example"); });
}

TEST(HostName, MustBeThere) {
  with_name("", [] { EXPECT_EQ(host_name().error().code, ErrorCode::invalid); });
}

}  // namespace
}  // namespace margay::base
