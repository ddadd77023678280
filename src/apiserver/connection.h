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

#include "apiserver/authenticate.h"
#include "apiserver/byte_budget.h"
#include "apiserver/http_message.h"
#include "apiserver/open_connections.h"
#include "apiserver/server.h"
#include "apiserver/unread_answers.h"

namespace margay::apiserver {

// What all connections share.
struct ConnectionContext {
  ConnectionContext(const ServerLimits& server_limits, const Server::Services& server_services,
                    boost::asio::thread_pool& handler_threads,
                    boost::asio::thread_pool& stream_threads)
      : limits(server_limits),
        services(server_services),
        handlers(handler_threads),
        streams(stream_threads),
        open(server_limits.connections, server_limits.unknown_connections),
        receiving(server_limits.receiving_bytes),
        handling(server_limits.handling_bytes),
        yaml(server_limits.yaml_bytes),
        unread(server_limits.unread_bytes) {}

  const ServerLimits limits;
  Server::Services services;
  boost::asio::thread_pool& handlers;  // requests
  boost::asio::thread_pool& streams;   // the reading that lists and watches under way do
  OpenConnections open;
  ByteBudget receiving;
  ByteBudget handling;
  ByteBudget yaml;  // the same, of bodies in YAML
  UnreadAnswers unread;
  std::atomic<size_t> in_flight = 0;
  std::atomic<bool> stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls,
             ConnectionContext& context);
  ~Connection();

  // To be spawned on executor(). Ends when the connection does.
  boost::asio::awaitable<void> run();
  boost::asio::any_io_executor executor() { return stream_.get_executor(); }
  // Any thread. Finishes the answer under way, if any, and closes.
  void stop();
  // Any thread. Closes at once.
  void cut();

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
  // Who asks, by the headers; a client that may not ask gets its refusal before its body is read.
  Answer<User> identify(const Parser::value_type& message);
  std::optional<User> proxied_user(const Parser::value_type& message);
  std::string peer_address();
  awaitable<bool> read_body(Parser& parser);
  // Nothing: the budget is used up. Small bodies always have a lease.
  std::optional<ByteBudget::Lease> lease(ByteBudget& budget, size_t body_bytes);
  Response answer_read_error(const boost::system::error_code& error);
  Request request_of(Parser::value_type& message, User user);
  // Answers a request that is not handled.
  Response refuse_request(Parser::value_type& message, User user, const Status& status);
  awaitable<Response> answer(Parser::value_type& message, User user);
  template <typename Work>
  awaitable<void> run_on(boost::asio::thread_pool& pool, Work work);
  template <typename Work>
  awaitable<Response> handle(Work work);
  awaitable<bool> send(Response response, bool keep_alive);
  void set_known();
  awaitable<void> send_stream(const Response& response);
  // Whether all of the list was sent.
  awaitable<bool> send_list(const Response& response, bool keep_alive);
  awaitable<bool> send_stream_header(const Response& response, bool keep_alive);
  // `unread`: what else of the body is in memory.
  awaitable<bool> send_chunk(std::string text, Unread unread = {});
  UnreadAnswers::Wait wait_for_client(Unread unread);
  awaitable<bool> send_last_chunk(std::string text);
  // On a stream thread. False: it has a bug, and can tell no more.
  template <typename Body>
  awaitable<bool> read_more(Body& body);
  awaitable<void> watch_peer();
  awaitable<void> wait_for_events(std::chrono::steady_clock::time_point until);
  awaitable<void> drain();
  void expire_after(std::chrono::seconds time);
  static void wake(const std::weak_ptr<Connection>& connection);
  void close();

  const std::shared_ptr<boost::asio::ssl::context> tls_;  // replaced for others when it is renewed
  boost::beast::ssl_stream<boost::beast::tcp_stream> stream_;
  ConnectionContext& context_;
  boost::beast::flat_buffer buffer_;
  std::optional<CertificateUser> certificate_user_;
  bool known_ = false;      // a client of this connection has said who it is
  bool head_only_ = false;  // the request is a HEAD: the answer has no body
  bool chunked_ = true;     // not towards HTTP/1.0, where the end of the connection ends a body
  boost::asio::steady_timer events_;  // cancelled when a watch has something
  bool woken_ = false;
  bool between_requests_ = false;
  bool must_close_ = false;
  bool peer_gone_ = false;
};

}  // namespace margay::apiserver
