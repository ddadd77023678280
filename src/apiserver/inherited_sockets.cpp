#include "apiserver/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace margay::apiserver {
namespace {

constexpr int k_first = 3;  // SD_LISTEN_FDS_START

std::optional<int> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || end != digits.end()) return std::nullopt;
  return number;
}

int option(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_tcp_listener(int socket) {
  return option(socket, SO_ACCEPTCONN) == 1 && option(socket, SO_PROTOCOL) == IPPROTO_TCP;
}

}  // namespace

base::Result<std::vector<base::UniqueFd>> inherited_sockets() {
  std::vector<base::UniqueFd> sockets;
  const int count = number_in_environment("LISTEN_FDS").value_or(0);
  // Meant for another process that passed its environment on.
  if (number_in_environment("LISTEN_PID") != getpid()) return sockets;
  for (int fd = k_first; fd < k_first + count; ++fd) {
    if (!is_tcp_listener(fd)) {
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("inherited descriptor {} is not a listening TCP socket", fd));
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets.emplace_back(fd);
  }
  return sockets;
}

}  // namespace margay::apiserver
