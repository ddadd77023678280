#include "lab/serve.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <charconv>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/unique_fd.h"

namespace margay::lab {
namespace {

namespace asio = boost::asio;
using asio::generic::datagram_protocol;
using asio::generic::stream_protocol;
using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;
using base::UniqueFd;
using Acceptor = asio::basic_socket_acceptor<stream_protocol>;
using Protocol = ServedPort::Protocol;

constexpr auto k_no_throw = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view k_report_head = "unserved:\n";

int socket_type(Protocol protocol) { return protocol == Protocol::udp ? SOCK_DGRAM : SOCK_STREAM; }

int ip_protocol(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return IPPROTO_TCP;
    case Protocol::udp:
      return IPPROTO_UDP;
    case Protocol::sctp:
      return IPPROTO_SCTP;
  }
  return 0;
}

// Bound to every address of both families; of IPv4 alone where the kernel has no IPv6.
Result<UniqueFd> open_port(const ServedPort& port) {
  for (const int family : {AF_INET6, AF_INET}) {
    UniqueFd socket(
        ::socket(family, socket_type(port.protocol) | SOCK_CLOEXEC, ip_protocol(port.protocol)));
    if (!socket && errno == EAFNOSUPPORT && family == AF_INET6) continue;
    if (!socket) return fail_errno(port.to_string(), errno);
    const int on = 1, off = 0;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) setsockopt(socket.get(), SOL_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 any6{.sin6_family = AF_INET6, .sin6_port = htons(port.number)};
    sockaddr_in any4{.sin_family = AF_INET, .sin_port = htons(port.number)};
    const bool v6 = family == AF_INET6;
    if (bind(socket.get(),
             v6 ? reinterpret_cast<sockaddr*>(&any6) : reinterpret_cast<sockaddr*>(&any4),
             v6 ? sizeof any6 : sizeof any4) != 0) {
      return fail_errno(port.to_string(), errno);
    }
    if (port.protocol != Protocol::udp && listen(socket.get(), SOMAXCONN) != 0) {
      return fail_errno(port.to_string(), errno);
    }
    return socket;
  }
  return fail(ErrorCode::unsupported, port.to_string() + ": no address family");
}

int family_of(const UniqueFd& socket) {
  int family = 0;
  socklen_t size = sizeof family;
  getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

class Server {
 public:
  explicit Server(const std::string& identity) : greeting_(identity + "\n") {}

  Result<> open(const ServedPort& port) {
    MARGAY_TRY(UniqueFd socket, open_port(port));
    const int family = family_of(socket);
    const int protocol = ip_protocol(port.protocol);
    if (port.protocol == Protocol::udp) {
      datagram_protocol::socket datagrams(context_, datagram_protocol(family, protocol),
                                          socket.release());
      asio::co_spawn(context_, answer(std::move(datagrams)), asio::detached);
    } else {
      Acceptor acceptor(context_, stream_protocol(family, protocol), socket.release());
      asio::co_spawn(context_, accept(std::move(acceptor)), asio::detached);
    }
    return {};
  }

  void run() {
    const auto forever = asio::make_work_guard(context_);
    context_.run();
  }

 private:
  asio::awaitable<void> accept(Acceptor acceptor) {
    asio::steady_timer pause(context_);
    while (true) {
      auto [error, stream] = co_await acceptor.async_accept(k_no_throw);
      if (error) {  // out of descriptors, most likely: some will come back
        pause.expires_after(std::chrono::milliseconds(10));
        co_await pause.async_wait(k_no_throw);
        continue;
      }
      asio::co_spawn(context_, converse(std::move(stream)), asio::detached);
    }
  }

  asio::awaitable<void> converse(stream_protocol::socket stream) {
    std::array<char, 4096> chunk;
    auto [error, size] = co_await asio::async_write(stream, asio::buffer(greeting_), k_no_throw);
    while (!error) {
      std::tie(error, size) = co_await stream.async_read_some(asio::buffer(chunk), k_no_throw);
      if (error) break;
      std::tie(error, size) =
          co_await asio::async_write(stream, asio::buffer(chunk.data(), size), k_no_throw);
    }
  }

  // A lost answer is UDP's own business; an error here is that of an earlier one (ICMP).
  asio::awaitable<void> answer(datagram_protocol::socket socket) {
    std::array<char, 65536> datagram;
    datagram_protocol::endpoint client;
    while (true) {
      auto [error, size] =
          co_await socket.async_receive_from(asio::buffer(datagram), client, k_no_throw);
      if (error) continue;
      const std::array<asio::const_buffer, 2> reply{asio::buffer(greeting_),
                                                    asio::buffer(datagram.data(), size)};
      co_await socket.async_send_to(reply, client, k_no_throw);
    }
  }

  asio::io_context context_{1};
  std::string greeting_;
};

}  // namespace

Result<ServedPort> ServedPort::parse(const std::string& text) {
  const auto colon = text.find(':');
  const std::string protocol = text.substr(0, colon);
  ServedPort port;
  if (protocol == "udp") {
    port.protocol = Protocol::udp;
  } else if (protocol == "sctp") {
    port.protocol = Protocol::sctp;
  } else if (protocol != "tcp") {
    return fail(ErrorCode::invalid, "port \"" + text + "\": the protocol is tcp, udp or sctp");
  }
  const char* begin = text.data() + (colon == text.npos ? text.size() : colon + 1);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), port.number);
  if (error != std::errc() || end != text.data() + text.size() || port.number == 0) {
    return fail(ErrorCode::invalid, "port \"" + text + "\": the number is 1 to 65535");
  }
  return port;
}

std::string ServedPort::to_string() const {
  constexpr std::array k_names{"tcp", "udp", "sctp"};
  return fmt::format("{}:{}", k_names.at(static_cast<size_t>(protocol)), number);
}

Result<> serve(const ServerOptions& options) {
  const auto lock = base::FileLock::acquire(options.lock_file);
  if (!lock && lock.error().code == ErrorCode::conflict) return {};
  if (!lock) return fail(lock.error());
  MARGAY_CHECK(lock->write(""));

  Server server(options.identity);
  std::string report{k_report_head};
  for (const auto& port : options.ports) {
    if (auto opened = server.open(port); !opened) report += opened.error().message + "\n";
  }
  MARGAY_CHECK(lock->write(report + "\n"));  // an empty line ends it
  server.run();
  return {};
}

Result<ServerReport> server_report(const std::filesystem::path& lock_file) {
  if (!base::FileLock::is_held(lock_file)) {
    return fail(ErrorCode::not_found, "no server holds " + lock_file.string());
  }
  MARGAY_TRY(const std::string text, base::read_file(lock_file));
  if (!text.starts_with(k_report_head) || !text.ends_with("\n\n")) {
    return fail(ErrorCode::unavailable, "the server is starting");
  }
  ServerReport report;
  std::string_view left = std::string_view(text).substr(k_report_head.size());
  while (!left.empty()) {
    const auto line = left.substr(0, left.find('\n'));
    if (!line.empty()) report.unserved.emplace_back(line);
    left.remove_prefix(line.size() + 1);
  }
  return report;
}

}  // namespace margay::lab
