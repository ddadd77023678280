#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

extern char** environ;

namespace margay::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe2", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& string : strings) out.push_back(const_cast<char*>(string.c_str()));
  out.push_back(nullptr);
  return out;
}

struct Spawn {
  const std::vector<std::string>& argv;
  const std::optional<std::vector<std::string>>& environment;
  const std::optional<int>& network_namespace;
  int in, out, err;
  bool own_session;
};

// fork and exec. Between the two only async-signal-safe calls are made; what fails there is
// reported through a close-on-exec pipe as {step, errno}.
Result<pid_t> spawn(const Spawn& what) {
  if (what.argv.empty()) return fail(ErrorCode::invalid, "no program to run");
  auto argv = pointers(what.argv);
  std::vector<char*> environment;
  if (what.environment) environment = pointers(*what.environment);
  MARGAY_TRY(const Pipe report, make_pipe());

  const pid_t pid = fork();
  if (pid < 0) return fail_errno("fork", errno);
  if (pid == 0) {
    if (what.own_session) setsid();
    dup2(what.in, STDIN_FILENO);
    dup2(what.out, STDOUT_FILENO);
    dup2(what.err, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::array<int, 2> failure{0, 0};
    if (what.network_namespace && setns(*what.network_namespace, CLONE_NEWNET) != 0) {
      failure[1] = errno;
    } else {
      if (what.environment) environ = environment.data();
      execvp(argv[0], argv.data());
      failure = {1, errno};
    }
    [[maybe_unused]] const auto written = write(report.write.get(), failure.data(), sizeof failure);
    _exit(127);
  }
  const_cast<UniqueFd&>(report.write).reset();
  std::array<int, 2> failure{};
  const ssize_t got = read(report.read.get(), failure.data(), sizeof failure);
  if (got == sizeof failure) {
    waitpid(pid, nullptr, 0);
    return fail_errno(
        failure[0] == 0 ? "enter network namespace for " + what.argv[0] : "run " + what.argv[0],
        failure[1]);
  }
  return pid;
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void set_nonblocking(const UniqueFd& fd) { fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

// Appends what can be read now; closes at end of file.
void drain(UniqueFd& fd, std::string& into) {
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t got = read(fd.get(), chunk.data(), chunk.size());
    if (got > 0) {
      into.append(chunk.data(), static_cast<size_t>(got));
    } else {
      if (got == 0 || (errno != EAGAIN && errno != EINTR)) fd.reset();
      return;
    }
  }
}

}  // namespace

Result<Output> run(const Command& command) {
  MARGAY_TRY(Pipe in, make_pipe());
  MARGAY_TRY(Pipe out, make_pipe());
  MARGAY_TRY(Pipe err, make_pipe());
  MARGAY_TRY(const pid_t pid, spawn({command.argv, command.environment, command.network_namespace,
                                     in.read.get(), out.write.get(), err.write.get(), false}));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  for (const auto* fd : {&in.write, &out.read, &err.read}) set_nonblocking(*fd);

  Output output;
  size_t written = 0;
  const auto deadline = steady_clock::now() + command.timeout;
  // A program that closes its standard input early must not end us: callers ignore SIGPIPE here.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  bool timed_out = false;
  while (out.read || err.read) {
    if (in.write && written == command.input.size()) in.write.reset();
    std::array<pollfd, 3> polled{pollfd{in.write ? in.write.get() : -1, POLLOUT, 0},
                                 pollfd{out.read ? out.read.get() : -1, POLLIN, 0},
                                 pollfd{err.read ? err.read.get() : -1, POLLIN, 0}};
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0 || poll(polled.data(), polled.size(), static_cast<int>(left)) == 0) {
      timed_out = true;
      break;
    }
    if (polled[0].revents != 0) {
      const ssize_t n =
          write(in.write.get(), command.input.data() + written, command.input.size() - written);
      if (n > 0) written += static_cast<size_t>(n);
      if (n < 0 && errno != EAGAIN && errno != EINTR) in.write.reset();
    }
    if (polled[1].revents != 0) drain(out.read, output.out);
    if (polled[2].revents != 0) drain(err.read, output.err);
  }
  const timespec now{};
  while (sigtimedwait(&pipe_signal, nullptr, &now) > 0) continue;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (timed_out) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (timed_out) {
    return fail(ErrorCode::timeout, command.argv[0] + " did not end within " +
                                        std::to_string(command.timeout.count()) + " ms");
  }
  output.status = exit_status(status);
  return output;
}

Result<std::string> run_checked(const Command& command) {
  MARGAY_TRY(Output output, run(command));
  if (output.status != 0) {
    std::string line;
    for (const auto& word : command.argv) line += (line.empty() ? "" : " ") + word;
    return fail(ErrorCode::internal,
                line + " ended with status " + std::to_string(output.status) + ": " + output.err);
  }
  return std::move(output.out);
}

Result<ChildProcess> ChildProcess::start(const Options& options) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  UniqueFd log;
  if (!options.log_file.empty()) {
    log = UniqueFd(open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!log) return fail_errno("open " + options.log_file, errno);
  }
  const int out = log ? log.get() : null.get();
  MARGAY_TRY(const pid_t pid, spawn({options.argv, options.environment, options.network_namespace,
                                     null.get(), out, out, options.own_session}));
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Result<> ChildProcess::signal(int number) const {
  if (pid_ < 0) return fail(ErrorCode::not_found, "the program has ended");
  if (kill(pid_, number) != 0) return fail_errno("kill", errno);
  return {};
}

std::optional<int> ChildProcess::wait(milliseconds timeout) {
  if (pid_ < 0) return std::nullopt;
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd polled{process.get(), POLLIN, 0};
  if (poll(&polled, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return exit_status(status);
}

pid_t ChildProcess::detach() { return std::exchange(pid_, -1); }

}  // namespace margay::base
