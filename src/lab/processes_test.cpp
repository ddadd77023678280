#include "lab/processes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/process.h"
#include "lab/environment.h"

namespace margay::lab {
namespace {

using namespace std::chrono_literals;
using base::ChildProcess;

// A value of its own in each test, so that nothing else on the machine carries it.
std::string unique_mark(const char* test) { return fmt::format("mt-lab-{}-{}", getpid(), test); }

ChildProcess start(const std::vector<std::string>& argv, const std::string& mark) {
  return ChildProcess::start(
             {.argv = argv, .environment = environment_with({{"MARGAY_TEST_MARK", mark}})})
      .value();
}

ProcessFilter carrying(const std::string& mark) {
  return [variable = "MARGAY_TEST_MARK=" + mark](const ProcessView& process) {
    return process.carries(variable);
  };
}

TEST(Processes, AreFoundByTheirMarkAndItsChildrenToo) {
  const auto mark = unique_mark("children");
  auto parent = start({"sh", "-c", "sleep 60 & sleep 60"}, mark);
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (find_processes(carrying(mark)).size() < 3) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  ASSERT_TRUE(kill_processes(carrying(mark), 5s));
  EXPECT_TRUE(find_processes(carrying(mark)).empty());
}

TEST(Processes, AMarkIsMatchedWhole) {
  const auto mark = unique_mark("whole");
  auto child = start({"sleep", "60"}, mark + "x");
  EXPECT_TRUE(find_processes(carrying(mark)).empty());
}

TEST(Processes, AreFoundByAnArgument) {
  const auto mark = unique_mark("argument");
  auto child = start({"tail", "-f", "/dev/null", mark}, mark);  // a shell's child has its arguments
  const auto found =
      find_processes([&](const ProcessView& process) { return process.has_argument(mark); });
  EXPECT_EQ(found, std::vector<pid_t>{child.pid()});
}

TEST(Processes, AreFoundAlsoInTheMidstOfExec) {
  const auto mark = unique_mark("exec");
  const auto script = std::filesystem::temp_directory_path() / mark;
  std::ofstream(script) << "#!/bin/sh\nexec \"$0\" " << mark << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  auto child = start({script, mark}, mark);
  const auto marked = carrying(mark);
  const auto is_found = [&](const auto& holds) {
    return find_processes([&](const ProcessView& process) {
             return process.pid() == child.pid() && holds(process);
           }).size() == 1;
  };
  int missed_marks = 0, missed_arguments = 0;
  for (int scan = 0; scan < 3000; ++scan) {
    missed_marks += is_found(marked) ? 0 : 1;
    missed_arguments +=
        is_found([&](const ProcessView& process) { return process.has_argument(mark); }) ? 0 : 1;
  }
  EXPECT_EQ(missed_marks, 0);
  EXPECT_EQ(missed_arguments, 0);
  EXPECT_FALSE(child.wait(0ms)) << "it runs still";
  std::filesystem::remove(script);
}

TEST(Processes, ThisOneAndItsAncestorsAreSpared) {
  const auto everything = find_processes([](const ProcessView&) { return true; });
  EXPECT_EQ(std::ranges::count(everything, getpid()), 0);
  EXPECT_EQ(std::ranges::count(everything, getppid()), 0);
}

TEST(Processes, KillingNothingIsFine) {
  EXPECT_TRUE(kill_processes(carrying(unique_mark("nothing")), 1s));
}

}  // namespace
}  // namespace margay::lab
