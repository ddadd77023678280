#include "store/kubernetes/https_connection.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace margay::store::kubernetes {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using base::ErrorCode;
using base::fail;
using base::Result;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr size_t k_read_size = 64U << 10U;

// Probes an idle connection after 15 s, gives it up after three lost ones 5 s apart; gives up sent
// data that is not acknowledged for 30 s (tcp(7)).
void detect_dead_peer(int socket) {
  const auto set = [socket](int level, int name, int value) {
    // Refused only for options the kernel does not know: then its defaults apply.
    static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

std::unexpected<base::Error> fail_io(std::string_view what, const error_code& error) {
  const bool timeout = error == beast::error::timeout;
  return fail(timeout ? ErrorCode::timeout : ErrorCode::unavailable,
              fmt::format("{}: {}", what, timeout ? "no answer in time" : error.message()));
}

}  // namespace

template <typename Start>
error_code HttpsConnection::run(Deadline deadline, Start start) {
  if (cancelled_) return asio::error::operation_aborted;
  error_code result;
  beast::get_lowest_layer(stream_).expires_at(deadline);
  start([&result](const error_code& error, const auto&...) { result = error; });
  loop_.restart();
  loop_.run();
  beast::get_lowest_layer(stream_).expires_never();
  return result;
}

Result<tcp::resolver::results_type> HttpsConnection::resolve(const Address& address,
                                                             Deadline deadline) {
  // An address needs no resolver, which would start a thread.
  error_code error;
  const auto literal = asio::ip::make_address(address.host, error);
  if (!error) {
    const auto port = static_cast<uint16_t>(std::stoul(address.port));
    return tcp::resolver::results_type::create(tcp::endpoint(literal, port), address.host,
                                               address.port);
  }
  tcp::resolver::results_type results;
  error = asio::error::timed_out;
  resolver_.async_resolve(address.host, address.port, [&](const error_code& result, auto found) {
    error = result;
    results = std::move(found);
  });
  loop_.restart();
  loop_.run_until(deadline);
  if (error == asio::error::timed_out) {
    resolver_.cancel();
    loop_.run();
    return fail(ErrorCode::unavailable, "resolving " + address.host + ": no answer in time");
  }
  if (error)
    return fail(ErrorCode::unavailable, "resolving " + address.host + ": " + error.message());
  return results;
}

Result<> HttpsConnection::connect(const Address& address, Deadline deadline) {
  const auto where = fmt::format("connecting to {}:{}", address.host, address.port);
  MARGAY_TRY(const auto endpoints, resolve(address, deadline));
  auto& socket = beast::get_lowest_layer(stream_);
  if (const auto error = run(deadline, [&](auto done) { socket.async_connect(endpoints, done); }))
    return fail(ErrorCode::unavailable, fail_io(where, error).error().message);
  detect_dead_peer(socket.socket().native_handle());

  error_code literal;
  asio::ip::make_address(address.server_name, literal);
  if (literal) SSL_set_tlsext_host_name(stream_.native_handle(), address.server_name.c_str());
  if (address.verify)
    stream_.set_verify_callback(asio::ssl::host_name_verification(address.server_name));
  const auto error = run(
      deadline, [&](auto done) { stream_.async_handshake(asio::ssl::stream_base::client, done); });
  if (!error) return {};
  const long verified = SSL_get_verify_result(stream_.native_handle());
  if (address.verify && verified != X509_V_OK)
    return fail(ErrorCode::unauthorized,
                fmt::format("{}: the server's certificate is not trusted for \"{}\": {}", where,
                            address.server_name, X509_verify_cert_error_string(verified)));
  return fail(ErrorCode::unavailable, fail_io(where, error).error().message);
}

Result<> HttpsConnection::write(WireRequest& request, Deadline deadline) {
  answered_ = false;
  const auto error = run(deadline, [&](auto done) { http::async_write(stream_, request, done); });
  if (error) return fail_io("sending the request", error);
  return {};
}

Result<> HttpsConnection::read_header(StreamParser& parser, Deadline deadline) {
  const auto error =
      run(deadline, [&](auto done) { http::async_read_header(stream_, buffer_, parser, done); });
  answered_ = parser.got_some();
  if (error) return fail_io("reading the response", error);
  return {};
}

Result<std::string> HttpsConnection::read_some(StreamParser& parser, Deadline deadline) {
  std::string bytes(k_read_size, '\0');
  auto& body = parser.get().body();
  while (!parser.is_done()) {
    body.data = bytes.data();
    body.size = bytes.size();
    body.more = true;
    const auto error =
        run(deadline, [&](auto done) { http::async_read_some(stream_, buffer_, parser, done); });
    const size_t got = bytes.size() - body.size;
    if (got > 0) {
      bytes.resize(got);
      return bytes;
    }
    if (error && error != http::error::need_buffer) return fail_io("reading the response", error);
  }
  return std::string();
}

Result<> HttpsConnection::read_all(WholeParser& parser, Deadline deadline) {
  const auto error =
      run(deadline, [&](auto done) { http::async_read(stream_, buffer_, parser, done); });
  answered_ = parser.got_some();
  if (error == http::error::body_limit)
    return fail(ErrorCode::too_large, "reading the response: it is larger than the limit");
  if (error) return fail_io("reading the response", error);
  return {};
}

Result<> HttpsConnection::read_all(StreamParser& parser, std::string& body, size_t limit,
                                   Deadline deadline) {
  while (!parser.is_done()) {
    MARGAY_TRY(const auto bytes, read_some(parser, deadline));
    body += bytes;
    if (body.size() > limit)
      return fail(ErrorCode::too_large, "reading the response: it is larger than the limit");
  }
  return {};
}

bool HttpsConnection::stale() {
  std::array<char, 1> byte{};
  const int socket = beast::get_lowest_layer(stream_).socket().native_handle();
  const auto got = ::recv(socket, byte.data(), byte.size(), MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void HttpsConnection::cancel() {
  cancelled_ = true;
  asio::post(loop_, [this] { close(); });
}

void HttpsConnection::close() {
  resolver_.cancel();
  error_code ignored;  // closing a socket that is not open is no failure here
  beast::get_lowest_layer(stream_).socket().close(ignored);
}

}  // namespace margay::store::kubernetes
