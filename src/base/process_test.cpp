#include "base/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unique_fd.h"

namespace margay::base {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

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

TEST(Run, WaitsNoLongerForAProgramThatClosesItsOutputAndLivesOn) {
  const auto output = run({.argv = {"sh", "-c", "exec >&- 2>&-; exec sleep 30"}, .timeout = 50ms});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::timeout);
}

TEST(Run, DoesNotWaitForWhatAProgramLeavesBehind) {
  const auto output =
      run({.argv = {"sh", "-c", "sleep 10 & echo done; echo oops >&2"}, .timeout = 9s});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "done\n");
  EXPECT_EQ(output->err, "oops\n");
}

TEST(Run, KillsWhatNeverStopsWriting) {
  const auto endless = run({.argv = {"cat", "/dev/zero"}, .timeout = 50ms});
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, ErrorCode::timeout);
  const auto large = run({.argv = {"cat", "/dev/zero"}, .output_limit = 1'000'000});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::too_large);
}

TEST(Run, GivesAProgramItsEnvironmentAndLeavesOurs) {
  const std::string path = getenv("PATH");
  const auto output = run({.argv = {"env"}, .environment = std::vector<std::string>{"ONLY=this"}});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "ONLY=this\n");
  EXPECT_EQ(getenv("PATH"), path);
}

TEST(Run, StartsAProgramWithEverySignalAtItsDefault) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &some, &before);
  const auto output = run({.argv = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Run, GivesAProgramNoDescriptorOfOurs) {
  const UniqueFd leaky(open("/etc/hostname", O_RDONLY));  // without close-on-exec
  const auto output = run({.argv = {"ls", "-l", "/proc/self/fd"}});
  ASSERT_TRUE(output);
  EXPECT_THAT(output->out, Not(HasSubstr("/etc/hostname")));
}

TEST(Run, WorksWhereOurOwnStandardInputIsClosed) {
  const UniqueFd kept(dup(STDIN_FILENO));
  close(STDIN_FILENO);
  const auto output = run({.argv = {"cat"}, .input = "hello"});
  dup2(kept.get(), STDIN_FILENO);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "hello");
}

TEST(Run, SaysThatANamespaceCannotBeEntered) {
  const UniqueFd no_namespace(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto output = run({.argv = {"true"}, .network_namespace = no_namespace.get()});
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, HasSubstr("enter network namespace for true"));
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

TEST(ChildProcess, IsHeardOfWhenDescriptorsHaveRunOut) {
  auto child = ChildProcess::start({.argv = {"true"}});
  ASSERT_TRUE(child);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{1, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto status = child->wait(10s);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace margay::base
