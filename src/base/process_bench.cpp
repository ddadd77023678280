// What it costs to run a program, against the memory that this process has in use. Beside it, in
// the same run: posix_spawn(3), the least there is, and fork(2), which copies the page tables.

#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "base/process.h"

extern char** environ;

namespace margay::base {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double by_posix_spawn() {
  const auto start = Clock::now();
  char name[] = "/bin/true";
  char* const argv[] = {name, nullptr};
  pid_t pid = -1;
  if (posix_spawn(&pid, name, nullptr, nullptr, argv, environ) == 0) waitpid(pid, nullptr, 0);
  return milliseconds_since(start);
}

double by_fork() {
  const auto start = Clock::now();
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/true", "/bin/true", nullptr);
    _exit(127);
  }
  waitpid(pid, nullptr, 0);
  return milliseconds_since(start);
}

void run_a_program(benchmark::State& state) {
  const std::vector<char> in_use(static_cast<size_t>(state.range(0)) << 20, 'x');
  benchmark::DoNotOptimize(in_use.data());
  double ours = 0, spawned = 0, forked = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    const auto output = run({.argv = {"/bin/true"}});
    ours += milliseconds_since(start);
    if (!output || output->status != 0) return state.SkipWithError("the program did not run");
    state.PauseTiming();
    spawned += by_posix_spawn();
    forked += by_fork();
    state.ResumeTiming();
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["ms"] = ours / rounds;
  state.counters["posix_spawn_ms"] = spawned / rounds;
  state.counters["fork_ms"] = forked / rounds;
  state.counters["posix_spawn_ratio"] = ours / spawned;
}
BENCHMARK(run_a_program)
    ->ArgName("MiB")
    ->Arg(1)
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Iterations(100)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace margay::base
