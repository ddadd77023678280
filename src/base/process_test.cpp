#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace margay::base {
namespace {

using namespace std::chrono_literals;

TEST(Run, GivesInputAndReturnsBothOutputsAndTheStatus) {
  const auto output = run({.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"}, .input = "hello"});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->status, 3);
  EXPECT_EQ(output->out, "hello");
  EXPECT_EQ(output->err, "oops\n");
}

TEST(Run, MovesMoreThanAPipeHolds) {
  const std::string big(5'000'000, 'x');
  const auto output = run({.argv = {"cat"}, .input = big});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, big);
}

TEST(Run, SurvivesAProgramThatReadsNothing) {
  const auto output = run({.argv = {"true"}, .input = std::string(5'000'000, 'x')});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->status, 0);
}

TEST(Run, KillsWhatTakesTooLong) {
  const auto output = run({.argv = {"sleep", "60"}, .timeout = 50ms});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::timeout);
}

TEST(Run, SaysThatAProgramDoesNotExist) {
  const auto output = run({.argv = {"/no/such/program"}});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::not_found);
  EXPECT_NE(output.error().message.find("/no/such/program"), std::string::npos);
}

TEST(RunChecked, QuotesStandardErrorOfAFailure) {
  const auto output = run_checked({.argv = {"sh", "-c", "echo broken >&2; exit 1"}});
  ASSERT_FALSE(output);
  EXPECT_NE(output.error().message.find("broken"), std::string::npos);
}

TEST(ChildProcess, EndsByItselfOrBySignal) {
  auto child = ChildProcess::start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait(10ms), std::nullopt);
  ASSERT_TRUE(child->signal(SIGTERM));
  EXPECT_EQ(child->wait(10s), 128 + SIGTERM);
  EXPECT_FALSE(child->signal(SIGTERM)) << "it has ended";
}

}  // namespace
}  // namespace margay::base
