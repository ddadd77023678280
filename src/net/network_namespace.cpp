#include "net/network_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <thread>

#include "net/link.h"
#include "net/netlink.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;
using base::UniqueFd;

constexpr const char* k_directory = "/run/netns";
constexpr const char* k_own_namespace = "/proc/thread-self/ns/net";

Result<> check_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos) {
    return fail(ErrorCode::invalid, fmt::format("\"{}\" is not a namespace name", name));
  }
  return {};
}

// The directory must be a shared mount, so that a name unmounted in one mount namespace goes in
// those that were cloned from it too: otherwise removed namespaces live on there.
Result<> prepare_directory() {
  if (mkdir(k_directory, 0755) != 0 && errno != EEXIST) return fail_errno(k_directory, errno);
  if (mount("", k_directory, "none", MS_SHARED | MS_REC, nullptr) == 0) return {};
  if (errno != EINVAL) return fail_errno(fmt::format("share {}", k_directory), errno);
  if (mount(k_directory, k_directory, "none", MS_BIND | MS_REC, nullptr) != 0 ||
      mount("", k_directory, "none", MS_SHARED | MS_REC, nullptr) != 0) {
    return fail_errno(fmt::format("mount {}", k_directory), errno);
  }
  return {};
}

// Runs on a thread of its own, which ends with the new namespace as its own.
Result<> unshare_onto(const std::string& path) {
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("unshare network namespace", errno);
  if (mount(k_own_namespace, path.c_str(), "none", MS_BIND, nullptr) != 0) {
    return fail_errno("mount " + path, errno);
  }
  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open());
  return change_link(socket, "lo", {.up = true});
}

Result<struct stat> identity(int fd) {
  struct stat identity{};
  if (fstat(fd, &identity) != 0) return fail_errno("stat namespace", errno);
  return identity;
}

}  // namespace

Result<NetworkNamespace> NetworkNamespace::current() { return open(k_own_namespace); }

Result<NetworkNamespace> NetworkNamespace::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("network namespace " + path, errno);
  struct statfs filesystem{};
  if (fstatfs(fd.get(), &filesystem) != 0 || filesystem.f_type != NSFS_MAGIC) {
    return fail(ErrorCode::not_found, "network namespace " + path + ": no namespace at that path");
  }
  return NetworkNamespace(std::move(fd));
}

Result<NetworkNamespace> NetworkNamespace::open_named(const std::string& name) {
  MARGAY_CHECK(check_name(name));
  return open(path_of(name));
}

Result<NetworkNamespace> NetworkNamespace::create(const std::string& name) {
  MARGAY_CHECK(check_name(name));
  MARGAY_CHECK(prepare_directory());
  const std::string path = path_of(name);
  const UniqueFd place(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!place) return fail_errno("network namespace " + path, errno);

  Result<> made;
  std::thread([&] { made = unshare_onto(path); }).join();
  if (!made) {
    if (const auto removed = remove(name); !removed) {
      spdlog::warn("{}", removed.error().message);
    }
    return fail(std::move(made).error().wrap("network namespace " + name));
  }
  return open(path);
}

Result<> NetworkNamespace::remove(const std::string& name) {
  MARGAY_CHECK(check_name(name));
  const std::string path = path_of(name);
  if (umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return fail_errno("unmount " + path, errno);
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove " + path, errno);
  return {};
}

Result<std::vector<std::string>> NetworkNamespace::names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(k_directory, error)) {
    names.push_back(entry.path().filename());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail_errno(k_directory, error.value());
  }
  std::ranges::sort(names);
  return names;
}

bool NetworkNamespace::is(const NetworkNamespace& other) const {
  const auto mine = identity(fd());
  const auto theirs = identity(other.fd());
  return mine && theirs && mine->st_dev == theirs->st_dev && mine->st_ino == theirs->st_ino;
}

Result<> NetworkNamespace::run_on_thread(const std::function<void()>& function) const {
  Result<> entered;
  std::exception_ptr bug;
  std::thread([&] {
    if (setns(fd(), CLONE_NEWNET) != 0) {
      entered = fail_errno("enter network namespace", errno);
      return;
    }
    try {
      function();
    } catch (...) {
      bug = std::current_exception();
    }
  }).join();
  if (bug) std::rethrow_exception(bug);
  return entered;
}

}  // namespace margay::net
