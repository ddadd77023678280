#include "lab/processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"
#include "net/network_namespace.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds k_exec_within{1000};
constexpr std::chrono::microseconds k_exec_poll{100};

// What proc_pid_stat(5) says, from field `k_first_field` on: before it stands the name, which may
// hold anything, also ')'.
class Status {
 public:
  static std::optional<Status> read(pid_t pid) {
    const auto text = base::read_file(fmt::format("/proc/{}/stat", pid));
    if (!text) return std::nullopt;
    const size_t after_name = text->rfind(") ");
    if (after_name == text->npos) return std::nullopt;
    return Status(text->substr(after_name + 2));
  }

  pid_t parent() const { return static_cast<pid_t>(number(4)); }
  bool runs_a_program() const {
    constexpr uint64_t k_exiting = 0x4, k_kernel_thread = 0x200000;  // PF_*, linux/sched.h
    const std::string_view state = field(3);
    return state != "Z" && state != "X" && (number(9) & (k_exiting | k_kernel_thread)) == 0;
  }
  // execve() begins with empty memory; where its code is comes after arguments and environment.
  bool is_laid_out() const { return number(26) != 0; }
  // Where code, stack and environment begin: another place after each execve().
  bool has_memory_of(const Status& other) const {
    return field(26) == other.field(26) && field(28) == other.field(28) &&
           field(50) == other.field(50);
  }

 private:
  static constexpr int k_first_field = 3;

  explicit Status(std::string text) : text_(std::move(text)) {}
  std::string_view field(int wanted) const {
    std::string_view left = text_;
    for (int at = k_first_field; at < wanted; ++at) {
      left.remove_prefix(std::min(left.size(), left.find(' ') + 1));
    }
    return left.substr(0, left.find_first_of(" \n"));
  }
  uint64_t number(int wanted) const {
    const auto text = field(wanted);
    uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  std::string text_;
};

// `text` is strings that each end in NUL.
bool has_string(std::string_view text, std::string_view wanted) {
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find('\0'));
    if (entry == wanted) return true;
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
  }
  return false;
}

// In the midst of execve() a process's environment and arguments read as empty, or end early. So
// that they lack a string counts only if the same program was there before and after.
bool file_has_string(pid_t pid, const char* file, std::string_view wanted) {
  const auto deadline = steady_clock::now() + k_exec_within;
  while (true) {
    const auto before = Status::read(pid);
    const auto text = base::read_file(fmt::format("/proc/{}/{}", pid, file));
    if (text && has_string(*text, wanted)) return true;
    const auto after = Status::read(pid);
    if (!before || !after || !after->runs_a_program()) return false;
    if (after->is_laid_out() && after->has_memory_of(*before)) return false;
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(k_exec_poll);
  }
}

std::vector<pid_t> self_and_ancestors() {
  std::vector<pid_t> line;
  pid_t pid = getpid();
  while (pid > 0) {
    line.push_back(pid);
    const auto status = Status::read(pid);
    pid = status ? status->parent() : 0;
  }
  return line;
}

}  // namespace

bool ProcessView::carries(std::string_view variable) const {
  return file_has_string(pid_, "environ", variable);
}

bool ProcessView::has_argument(std::string_view word) const {
  return file_has_string(pid_, "cmdline", word);
}

bool ProcessView::is_in_namespace(ino_t inode) const {
  struct stat found{};
  return stat(fmt::format("/proc/{}/ns/net", pid_).c_str(), &found) == 0 && found.st_ino == inode;
}

std::vector<pid_t> find_processes(const ProcessFilter& filter) {
  const auto spared = self_and_ancestors();
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    const ProcessView process(pid);
    if (std::ranges::find(spared, pid) != spared.end()) continue;
    if (filter(process)) found.push_back(pid);
  }
  return found;
}

Result<> kill_processes(const ProcessFilter& filter, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  while (true) {
    const auto found = find_processes(filter);
    if (found.empty()) return {};
    if (steady_clock::now() > deadline) {
      return fail(ErrorCode::timeout, fmt::format("process {} does not end", found.front()));
    }
    std::vector<UniqueFd> dying;
    for (const pid_t pid : found) {
      UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
      if (!process || !filter(ProcessView(pid))) continue;
      syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
      dying.push_back(std::move(process));
    }
    for (const auto& process : dying) {
      pollfd ended{process.get(), POLLIN, 0};
      poll(&ended, 1, 1000);
    }
  }
}

ino_t namespace_inode(const std::string& name) {
  const auto found = net::NetworkNamespace::open_named(name);
  struct stat identity{};
  return found && fstat(found->fd(), &identity) == 0 ? identity.st_ino : 0;
}

}  // namespace margay::lab
