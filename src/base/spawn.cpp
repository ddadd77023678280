#include "base/spawn.h"

#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>

extern char** environ;

namespace margay::base {
namespace {

enum class Step : uint8_t { started, namespace_, descriptors, program };

// All the child needs, made before it exists: it must not allocate.
struct Plan {
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  int network_namespace = -1;
  std::array<int, 3> standard{};
  bool own_session = false;
  // The one thing the child writes to memory that it shares with its parent, which sleeps.
  struct {
    Step step = Step::started;
    int error = 0;
  } failure;
};

constexpr size_t k_stack_size = size_t{64} * 1024;  // execvpe() takes PATH_MAX and argv of it
constexpr size_t k_kernel_signal_mask = 8;          // bytes; the kernel's, not libc's

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& string : strings) out.push_back(const_cast<char*>(string.c_str()));
  out.push_back(nullptr);
  return out;
}

// Handlers of the parent must not run in its memory a second time, and what it ignores is not the
// new program's business. Past libc, which keeps some signals to itself.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] void reset_signals() {
  const std::array<unsigned long, 8> by_default{};  // struct kernel_sigaction with SIG_DFL
  for (int number = 1; number < NSIG; ++number)
    syscall(SYS_rt_sigaction, number, by_default.data(), nullptr, k_kernel_signal_mask);
  const std::array<unsigned long, 2> none{};
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, none.data(), nullptr, k_kernel_signal_mask);
}

[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] bool set_descriptors(const Plan& plan) {
  for (int target = 0; target < 3; ++target)
    if (syscall(SYS_dup3, plan.standard[static_cast<size_t>(target)], target, 0) < 0) return false;
  // Descriptors that a library opened without close-on-exec. Kernels before 5.11 leave them open.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  return true;
}

// Runs in the parent's memory. System calls only, none of them through what a sanitizer replaces.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] int become(void* argument) {
  Plan& plan = *static_cast<Plan*>(argument);
  if (plan.own_session) syscall(SYS_setsid);
  Step step = Step::program;
  if (plan.network_namespace >= 0 &&
      syscall(SYS_setns, plan.network_namespace, CLONE_NEWNET) != 0) {
    step = Step::namespace_;
  } else if (!set_descriptors(plan)) {
    step = Step::descriptors;
  } else {
    reset_signals();
    execvpe(plan.argv[0], plan.argv, plan.environment);
  }
  plan.failure = {step, errno};
  syscall(SYS_exit_group, 127);
  return 127;
}

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

std::string attempt(Step step, const std::string& program) {
  switch (step) {
    case Step::namespace_:
      return "enter network namespace for " + program;
    case Step::descriptors:
      return "set standard descriptors for " + program;
    default:
      return "run " + program;
  }
}

}  // namespace

Result<Spawned> spawn(const SpawnOptions& options) {
  if (options.argv.empty()) return fail(ErrorCode::invalid, "no program to run");
  const auto argv = pointers(options.argv);
  std::vector<char*> environment;
  if (options.environment) environment = pointers(*options.environment);
  Plan plan{.argv = argv.data(),
            .environment = options.environment ? environment.data() : environ,
            .network_namespace = options.network_namespace.value_or(-1),
            .standard = {options.in, options.out, options.err},
            .own_session = options.own_session};

  const size_t stack_size = k_stack_size + 2 * argv.size() * sizeof(char*);
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_size);
  const auto top = reinterpret_cast<uintptr_t>(stack.get() + stack_size) & ~uintptr_t{15};

  int process = -1;
  pid_t pid = -1;
  int clone_error = 0;
  {
    const AllSignalsBlocked blocked;
    pid = clone(become, reinterpret_cast<void*>(top),
                CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &process);
    clone_error = errno;
  }
  if (pid < 0) return fail_errno("start a process", clone_error);
  Spawned spawned{pid, UniqueFd(process)};
  if (plan.failure.step == Step::started) return spawned;
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
  return fail_errno(attempt(plan.failure.step, options.argv[0]), plan.failure.error);
}

}  // namespace margay::base
