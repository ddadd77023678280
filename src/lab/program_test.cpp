#include "lab/program.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

namespace margay::lab {
namespace {

using namespace std::chrono_literals;

// tend() until the program's end has been noticed; the kernel needs a moment.
void tend_until_ended(KeptProgram& program) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (program.pid()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    program.tend();
    std::this_thread::yield();
  }
}

TEST(KeptProgram, RunsUntilItIsEndedWithItsKeeper) {
  base::FakeClock clock;
  pid_t pid = 0;
  {
    KeptProgram program({.name = "sleeper", .argv = {"sleep", "60"}}, "", clock);
    EXPECT_TRUE(program.tend());
    EXPECT_FALSE(program.tend()) << "it runs already";
    ASSERT_TRUE(program.pid());
    EXPECT_FALSE(program.due());
    pid = *program.pid();
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(KeptProgram, IsStartedAgainAfterAPause) {
  base::FakeClock clock;
  KeptProgram program({.name = "short", .argv = {"true"}}, "", clock);
  ASSERT_TRUE(program.tend());
  tend_until_ended(program);
  ASSERT_TRUE(program.due());
  EXPECT_GT(*program.due(), clock.now());
  EXPECT_FALSE(program.tend()) << "not yet due";
  clock.advance(*program.due() - clock.now());
  EXPECT_TRUE(program.tend());
}

TEST(KeptProgram, PausesGrowWhileItKeepsEndingAndShrinkOnceItLived) {
  base::FakeClock clock;
  KeptProgram program({.name = "short", .argv = {"true"}}, "", clock);
  const auto next_pause = [&](std::chrono::milliseconds lives) {
    EXPECT_TRUE(program.tend());
    clock.advance(lives);
    tend_until_ended(program);
    const auto pause = *program.due() - clock.now();
    clock.advance(pause);
    return pause;
  };
  const auto first = next_pause(0ms);
  for (int i = 0; i < 8; ++i) next_pause(0ms);
  const auto grown = next_pause(0ms);
  EXPECT_GT(grown, 4 * first);
  EXPECT_LE(grown, 2s);
  EXPECT_LE(next_pause(KeptProgram::k_settled), 50ms);
}

TEST(KeptProgram, WhatCannotBeStartedIsTriedAgainToo) {
  base::FakeClock clock;
  KeptProgram program({.name = "missing", .argv = {"/nonexistent/program"}}, "", clock);
  EXPECT_FALSE(program.tend());
  EXPECT_FALSE(program.pid());
  ASSERT_TRUE(program.due());
  EXPECT_GT(*program.due(), clock.now());
}

TEST(Programs, AnAgentIsToldItsNodeAddressesAndDataPlane) {
  const auto layout = Layout::at("/run/x").value();
  const auto v4 = agent_program(layout, {.dataplane = "iptables"}, "/bin/margay", 2);
  EXPECT_EQ(v4.network_namespace, layout.node_namespace("node2"));
  EXPECT_EQ(v4.environment.at("IP"), "172.18.0.12/24");
  EXPECT_EQ(v4.environment.at("FELIX_IPV6SUPPORT"), "false");
  EXPECT_FALSE(v4.environment.contains("IP6"));
  const auto dual = agent_program(layout, {.ipv6 = true}, "/bin/margay", 2);
  EXPECT_EQ(dual.environment.at("IP6"), "fd00:172:18::c/64");
  EXPECT_EQ(dual.environment.at("FELIX_IPV6SUPPORT"), "true");
}

}  // namespace
}  // namespace margay::lab
