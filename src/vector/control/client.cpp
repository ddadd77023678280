#include "vector/control/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>

#include "base/unique_fd.h"

namespace margay::vector {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

Result<base::UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(ErrorCode::invalid, fmt::format("{}: too long a path for a socket", path));
  std::memcpy(address.sun_path, path.data(), path.size());
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::fail_errno("socket", errno);
  const timeval patience{.tv_sec = timeout.count() / 1000,
                         .tv_usec = timeout.count() % 1000 * 1000};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return base::fail_errno(fmt::format("no engine answers on {}", path), errno);
  return socket;
}

Result<> send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0) return base::fail_errno("ask the engine", errno);
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

Result<std::string> receive_line(int socket) {
  std::string line;
  char room[65536];
  while (true) {
    const ssize_t received = recv(socket, room, sizeof(room), 0);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return fail(ErrorCode::timeout, "the engine does not answer in time");
    if (received < 0) return base::fail_errno("the engine's answer", errno);
    if (received == 0) return fail(ErrorCode::unavailable, "the engine has hung up");
    const std::string_view part(room, static_cast<size_t>(received));
    const auto end = part.find('\n');
    line += part.substr(0, end);
    if (end != part.npos) return line;
  }
}

}  // namespace

Result<json::object> ask_engine(const std::string& path, const json::object& request,
                                std::chrono::milliseconds timeout) {
  MARGAY_TRY(const auto socket, connect_to(path, timeout));
  MARGAY_CHECK(send_all(socket.get(), json::serialize(request) + '\n'));
  MARGAY_TRY(const auto line, receive_line(socket.get()));
  boost::system::error_code error;
  auto reply = json::parse(line, error);
  if (error || !reply.is_object())
    return fail(ErrorCode::internal, "the engine's answer is no JSON object");
  if (const auto* refused = reply.get_object().if_contains("error"))
    return fail(ErrorCode::invalid, std::string(refused->as_string()));
  return std::move(reply.get_object());
}

}  // namespace margay::vector
