#pragma once

// Running other programs, without a shell. A program gets none of this process's descriptors but
// its own standard three, every signal at its default, and costs the same whatever the size of this
// process (base/spawn.h).

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/spawn.h"

namespace margay::base {

struct Command {
  std::vector<std::string> argv;                        // argv[0] is searched in PATH
  std::string input;                                    // given on standard input, then end of file
  std::optional<std::vector<std::string>> environment;  // "K=V"; unset: this process's
  std::optional<int>
      network_namespace;  // an open namespace descriptor to run in; kept by the caller
  std::chrono::milliseconds timeout{60'000};  // then the program is killed
  size_t output_limit = size_t{1} << 30;      // bytes of both outputs; beyond, it is killed
};

struct Output {
  int status = 0;  // exit status, or 128 + the signal that ended it
  std::string out;
  std::string err;
};

// Waits for the program to end, not for its output to: it may close that and live on, or leave it
// open to a child of its own. Not started, timed out or beyond a limit: an Error. Any exit status:
// an Output. Blocks the calling thread; safe from any thread.
Result<Output> run(const Command& command);

// The same, where any status but 0 is an Error that quotes standard error.
Result<std::string> run_checked(const Command& command);

// A program that goes on in the background, ended with this object (SIGKILL) unless detached.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> argv;
    std::optional<std::vector<std::string>> environment;
    std::optional<int> network_namespace;
    std::string log_file;     // standard output and error are appended here; empty: discarded
    bool own_session = true;  // its own session, so that the terminal's signals don't reach it
  };
  static Result<ChildProcess> start(const Options& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return child_.pid; }
  Result<> signal(int number) const;
  // The exit status if it has ended, or ends within `timeout`.
  std::optional<int> wait(std::chrono::milliseconds timeout);
  // Leaves it running; the caller takes over by pid.
  pid_t detach();

 private:
  explicit ChildProcess(Spawned child) : child_(std::move(child)) {}
  Spawned child_;  // without a pid: none
};

}  // namespace margay::base
