#include "lab/node_health.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;
using base::UniqueFd;

constexpr uint16_t k_health_port = 9099;
constexpr std::string_view k_request =
    "GET /readiness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

Result<std::string> ask() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket", errno);
  const timeval patience{.tv_sec = 1};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in agent{.sin_family = AF_INET, .sin_port = htons(k_health_port)};
  agent.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&agent), sizeof agent) != 0 ||
      send(socket.get(), k_request.data(), k_request.size(), MSG_NOSIGNAL) < 0) {
    return fail_errno("health endpoint", errno);
  }
  std::string answer;
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t got = recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0) return fail_errno("health endpoint", errno);
    if (got == 0) return answer;
    answer.append(chunk.data(), static_cast<size_t>(got));
  }
}

}  // namespace

Result<> check_agent_ready(const net::NetworkNamespace& node) {
  MARGAY_TRY(const auto answer, node.run(ask));
  if (answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200")) return {};
  const auto body = answer.find("\r\n\r\n");
  return fail(ErrorCode::unavailable,
              "not ready: " + (body == answer.npos ? answer : answer.substr(body + 4)));
}

}  // namespace margay::lab
