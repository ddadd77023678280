#pragma once

// One client: its TLS, its requests one after another, its watch. A coroutine on a strand of its
// own; everything here happens there but handling, which happens on the handler threads.

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <memory>
#include <optional>

#include "apiserver/http_message.h"
#include "apiserver/server.h"

namespace margay::apiserver {

// What all connections share.
struct ConnectionContext {
  const ServerLimits limits;
  Server::Services services;
  boost::asio::thread_pool& handlers;
  std::atomic<size_t> in_flight = 0;
  std::atomic<bool> stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls,
             ConnectionContext& context);
  ~Connection();

  // To be spawned on executor(). Ends when the connection does.
  boost::asio::awaitable<void> run();
  boost::asio::any_io_executor executor() { return stream_.get_executor(); }
  // Any thread. Finishes the answer under way, if any, and closes.
  void stop();

 private:
  template <typename T>
  using awaitable = boost::asio::awaitable<T>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

  awaitable<bool> handshake();
  awaitable<bool> serve_one();
  awaitable<bool> wait_for_request();
  // Nothing when the connection is to be closed without a word.
  awaitable<std::optional<Response>> read_and_answer(Parser& parser);
  awaitable<bool> read_body(Parser& parser);
  Response answer_read_error(const boost::system::error_code& error);
  awaitable<Response> answer(const Parser::value_type& message);
  awaitable<Response> handle(const Request& request);
  awaitable<bool> send(Response response, bool keep_alive);
  awaitable<void> send_stream(const Response& response);
  awaitable<bool> send_stream_header(const Response& response);
  awaitable<bool> send_chunk(std::string text);
  awaitable<bool> send_last_chunk(std::string text);
  awaitable<void> watch_peer();
  awaitable<void> wait_for_events(std::chrono::steady_clock::time_point until);
  awaitable<void> drain();
  void expire_after(std::chrono::seconds time);
  void wake();
  void close();

  boost::beast::ssl_stream<boost::beast::tcp_stream> stream_;
  ConnectionContext& context_;
  boost::beast::flat_buffer buffer_;
  std::optional<User> certificate_user_;
  boost::asio::steady_timer events_;  // cancelled when a watch has something
  bool woken_ = false;
  std::atomic<bool> wake_posted_ = false;
  bool between_requests_ = false;
  bool must_close_ = false;
  bool peer_gone_ = false;
};

}  // namespace margay::apiserver
