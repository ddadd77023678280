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

#include "base/unique_fd.h"
#include "lab/file.h"
#include "net/network_namespace.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// proc_pid_stat(5): "pid (name) state ppid ..."; the name may hold anything, also ')'.
pid_t parent_of(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return 0;
  const size_t after_name = text->rfind(')');
  if (after_name == text->npos || text->size() < after_name + 5) return 0;
  pid_t parent = 0;
  std::from_chars(text->data() + after_name + 4, text->data() + text->size(), parent);
  return parent;
}

// Of strings that each end in NUL.
bool file_has_string(const std::string& path, std::string_view wanted) {
  const auto text = read_file(path);
  if (!text) return false;
  std::string_view left = *text;
  while (!left.empty()) {
    const std::string_view entry = left.substr(0, left.find('\0'));
    if (entry == wanted) return true;
    left.remove_prefix(std::min(left.size(), entry.size() + 1));
  }
  return false;
}

std::vector<pid_t> self_and_ancestors() {
  std::vector<pid_t> line;
  for (pid_t pid = getpid(); pid > 0; pid = parent_of(pid)) line.push_back(pid);
  return line;
}

}  // namespace

bool ProcessView::carries(std::string_view variable) const {
  return file_has_string(fmt::format("/proc/{}/environ", pid_), variable);
}

bool ProcessView::has_argument(std::string_view word) const {
  return file_has_string(fmt::format("/proc/{}/cmdline", pid_), word);
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
