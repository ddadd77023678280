#include "net/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace margay::net {
namespace {

using base::fail_errno;
using base::Result;
using base::UniqueFd;

Result<std::string> file_of(std::string_view path) {
  if (path.find("..") != path.npos) {
    return base::fail(base::ErrorCode::invalid, fmt::format("sysctl {}: not a parameter", path));
  }
  return fmt::format("/proc/sys/{}", path);
}

}  // namespace

Result<std::string> read_sysctl(std::string_view path) {
  MARGAY_TRY(const std::string file, file_of(path));
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text{};
  const ssize_t got = fd ? read(fd.get(), text.data(), text.size()) : -1;
  if (got < 0) return fail_errno(fmt::format("sysctl {}", path), errno);
  std::string value(text.data(), static_cast<size_t>(got));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<> write_sysctl(std::string_view path, std::string_view value) {
  MARGAY_TRY(const std::string file, file_of(path));
  const auto before = read_sysctl(path);
  if (before && *before == value) return {};
  const UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), value.data(), value.size()) < 0) {
    return fail_errno(fmt::format("sysctl {} = {}", path, value), errno);
  }
  return {};
}

}  // namespace margay::net
