#pragma once

// One TLS connection, used by one thread at a time. Beast is asynchronous where deadlines are
// concerned, so each operation runs the connection's own loop until it is done. Internal to the
// client: this header costs much to compile.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <string>

#include "base/result.h"

namespace margay::store::kubernetes {

using Deadline = std::chrono::steady_clock::time_point;
using WireRequest = boost::beast::http::request<boost::beast::http::string_body>;
using WholeParser = boost::beast::http::response_parser<boost::beast::http::string_body>;
using StreamParser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;

struct Address {
  std::string host;
  std::string port;
  std::string server_name;  // to verify and to ask for (SNI)
  bool verify = true;
};

class HttpsConnection {
 public:
  explicit HttpsConnection(boost::asio::ssl::context& tls) : stream_(loop_, tls) {}

  base::Result<> connect(const Address& address, Deadline deadline);
  base::Result<> write(WireRequest& request, Deadline deadline);
  base::Result<> read_header(StreamParser& parser, Deadline deadline);
  // At least one byte, unless the response is over.
  base::Result<std::string> read_some(StreamParser& parser, Deadline deadline);
  base::Result<> read_all(WholeParser& parser, Deadline deadline);
  base::Result<> read_all(StreamParser& parser, std::string& body, size_t limit, Deadline deadline);

  // Whether the server has closed it, or said something unasked, while it was idle.
  bool stale();
  // Whether a byte of the current response has arrived.
  bool answered() const { return answered_; }
  // Any thread: fails the operation under way and all later ones.
  void cancel();

  Deadline idle_since{};

 private:
  template <typename Start>
  boost::system::error_code run(Deadline deadline, Start start);
  base::Result<boost::asio::ip::tcp::resolver::results_type> resolve(const Address& address,
                                                                     Deadline deadline);
  void close();

  boost::asio::io_context loop_{1};
  boost::asio::ip::tcp::resolver resolver_{loop_};
  boost::asio::ssl::stream<boost::beast::tcp_stream> stream_;
  boost::beast::flat_buffer buffer_;
  bool answered_ = false;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace margay::store::kubernetes
