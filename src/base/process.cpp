#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace margay::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int k_first_other_descriptor = 3;

struct Pipe {
  UniqueFd read, write;
};

// Above the standard three, so that giving a child its own never overwrites one.
Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() >= k_first_other_descriptor) return fd;
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, k_first_other_descriptor));
  if (!moved) return fail_errno("dup", errno);
  return moved;
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe2", errno);
  UniqueFd read(ends[0]), write(ends[1]);
  MARGAY_TRY(read, above_standard(std::move(read)));
  MARGAY_TRY(write, above_standard(std::move(write)));
  return Pipe{std::move(read), std::move(write)};
}

Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) return fail_errno("open " + path, errno);
  return above_standard(std::move(fd));
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return exit_status(status);
}

// For poll(2): rounded up, so that a deadline has passed when it says so; 0: it has.
int milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

// A program that closes its standard input early must not end us: callers ignore SIGPIPE here.
class PipeSignalBlocked {
 public:
  PipeSignalBlocked() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~PipeSignalBlocked() {
    const timespec now{};
    while (sigtimedwait(&signal_, nullptr, &now) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalBlocked(const PipeSignalBlocked&) = delete;
  PipeSignalBlocked& operator=(const PipeSignalBlocked&) = delete;

 private:
  sigset_t signal_, before_;
};

// Feeds a program and hears it out, up to its end.
class Conversation {
 public:
  Conversation(const Command& command, const Spawned& child, UniqueFd in, UniqueFd out,
               UniqueFd err)
      : command_(command),
        child_(child),
        in_(std::move(in)),
        out_(std::move(out)),
        err_(std::move(err)) {
    for (const auto* fd : {&in_, &out_, &err_}) fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  }

  // Until the program has ended. What ends here is the program, not its output: it may close that
  // and live on, or leave it to a child of its own.
  Result<> finish() {
    const PipeSignalBlocked blocked;
    const auto deadline = steady_clock::now() + command_.timeout;
    while (true) {
      if (in_ && written_ == command_.input.size()) in_.reset();
      std::array<pollfd, 4> polled{
          pollfd{in_ ? in_.get() : -1, POLLOUT, 0}, pollfd{out_ ? out_.get() : -1, POLLIN, 0},
          pollfd{err_ ? err_.get() : -1, POLLIN, 0}, pollfd{child_.process.get(), POLLIN, 0}};
      const int left = milliseconds_until(deadline);
      if (left == 0) return took_too_long();
      if (poll(polled.data(), polled.size(), left) <= 0) continue;
      if (polled[3].revents != 0) return take_the_rest();
      if (polled[0].revents != 0) give();
      if (polled[1].revents != 0) take(out_, output_.out, k_chunk);
      if (polled[2].revents != 0) take(err_, output_.err, k_chunk);
      if (output_.out.size() + output_.err.size() > command_.output_limit) return said_too_much();
    }
  }

  Output take_output() { return std::move(output_); }

 private:
  static constexpr size_t k_chunk = size_t{64} * 1024;

  void give() {
    const ssize_t n = write(in_.get(), command_.input.data() + written_,
                            std::min(command_.input.size() - written_, k_chunk));
    if (n > 0) written_ += static_cast<size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) in_.reset();
  }

  // One read, so that a program that never stops writing does not keep us from the deadline.
  // False: there is nothing to read.
  bool take(UniqueFd& fd, std::string& into, size_t most) {
    const ssize_t got = read(fd.get(), chunk_.data(), std::min(most, chunk_.size()));
    if (got > 0) into.append(chunk_.data(), static_cast<size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) fd.reset();
    return got > 0;
  }

  // What the program wrote stands in the pipes when it has ended; what comes later is not its own.
  Result<> take_the_rest() {
    for (auto [fd, into] : {std::pair(&out_, &output_.out), std::pair(&err_, &output_.err)}) {
      int left = 0;
      if (!*fd || ioctl(fd->get(), FIONREAD, &left) != 0) continue;
      const size_t end = into->size() + static_cast<size_t>(left);
      while (into->size() < end && take(*fd, *into, end - into->size())) continue;
    }
    return {};
  }

  Result<> took_too_long() const {
    return fail(ErrorCode::timeout, command_.argv[0] + " did not end within " +
                                        std::to_string(command_.timeout.count()) + " ms");
  }
  Result<> said_too_much() const {
    return fail(ErrorCode::too_large, command_.argv[0] + " wrote more than " +
                                          std::to_string(command_.output_limit) + " bytes");
  }

  const Command& command_;
  const Spawned& child_;
  UniqueFd in_, out_, err_;
  size_t written_ = 0;
  Output output_;
  std::array<char, k_chunk> chunk_;
};

}  // namespace

Result<Output> run(const Command& command) {
  MARGAY_TRY(Pipe in, make_pipe());
  MARGAY_TRY(Pipe out, make_pipe());
  MARGAY_TRY(Pipe err, make_pipe());
  MARGAY_TRY(const Spawned child, spawn({.argv = command.argv,
                                         .environment = command.environment,
                                         .network_namespace = command.network_namespace,
                                         .in = in.read.get(),
                                         .out = out.write.get(),
                                         .err = err.write.get()}));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  Conversation conversation(command, child, std::move(in.write), std::move(out.read),
                            std::move(err.read));
  const auto finished = conversation.finish();
  if (!finished) kill(child.pid, SIGKILL);
  const int status = reap(child.pid);
  if (!finished) return fail(finished.error());
  Output output = conversation.take_output();
  output.status = status;
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
  MARGAY_TRY(const UniqueFd null, open_file("/dev/null", O_RDWR));
  UniqueFd log;
  if (!options.log_file.empty()) {
    MARGAY_TRY(log, open_file(options.log_file, O_WRONLY | O_CREAT | O_APPEND));
  }
  const int out = log ? log.get() : null.get();
  MARGAY_TRY(Spawned child, spawn({.argv = options.argv,
                                   .environment = options.environment,
                                   .network_namespace = options.network_namespace,
                                   .in = null.get(),
                                   .out = out,
                                   .err = out,
                                   .own_session = options.own_session}));
  return ChildProcess(std::move(child));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : child_(std::exchange(other.child_, Spawned{})) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(child_, other.child_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (child_.pid < 0) return;
  kill(child_.pid, SIGKILL);
  reap(child_.pid);
}

Result<> ChildProcess::signal(int number) const {
  if (child_.pid < 0) return fail(ErrorCode::not_found, "the program has ended");
  if (kill(child_.pid, number) != 0) return fail_errno("kill", errno);
  return {};
}

std::optional<int> ChildProcess::wait(milliseconds timeout) {
  if (child_.pid < 0) return std::nullopt;
  const auto deadline = steady_clock::now() + timeout;
  pollfd polled{child_.process.get(), POLLIN, 0};
  while (poll(&polled, 1, milliseconds_until(deadline)) <= 0)
    if (milliseconds_until(deadline) == 0) return std::nullopt;
  const int status = reap(child_.pid);
  child_ = {};
  return status;
}

pid_t ChildProcess::detach() { return std::exchange(child_, Spawned{}).pid; }

}  // namespace margay::base
