#include "node/http_endpoint.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

namespace margay::node {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr auto k_client_timeout = std::chrono::seconds(10);
constexpr size_t k_header_limit = 8192;
// Probes and scrapers are few; more are somebody's mistake, and are closed at once.
constexpr size_t k_most_sessions = 128;
// How long accepting waits after it failed: out of descriptors, most likely, and some will close.
constexpr auto k_accept_pause = std::chrono::milliseconds(100);

// One connection: reads a request, answers it, and again until the client goes.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // Counts itself in `sessions` while it lives; one thread.
  Session(tcp::socket socket, const HttpEndpoint::Handler& handler, size_t& sessions)
      : stream_(std::move(socket)), handler_(handler), sessions_(sessions) {
    ++sessions_;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { --sessions_; }

  void read() {
    parser_.emplace();
    parser_->header_limit(k_header_limit);
    parser_->body_limit(0);
    stream_.expires_after(k_client_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, size_t) {
                       if (!error) self->answer();
                     });
  }

 private:
  void answer() {
    const auto& request = parser_->get();
    const bool get = request.method() == http::verb::get || request.method() == http::verb::head;
    const std::string_view target(request.target().data(), request.target().size());
    HttpEndpoint::Reply reply =
        get ? handler_(target.substr(0, target.find('?')))
            : HttpEndpoint::Reply{405, "text/plain; charset=utf-8", "only GET is answered here\n"};

    response_ = {};
    response_.version(request.version());
    response_.result(reply.status);
    response_.set(http::field::content_type, reply.content_type);
    response_.keep_alive(request.keep_alive());
    response_.body() = request.method() == http::verb::head ? "" : std::move(reply.body);
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](const error_code& error, size_t) {
                        if (!error && self->response_.keep_alive()) self->read();
                      });
  }

  beast::tcp_stream stream_;
  const HttpEndpoint::Handler& handler_;
  size_t& sessions_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
};

}  // namespace

class HttpEndpoint::Impl {
 public:
  explicit Impl(Handler handler) : handler_(std::move(handler)) {}

  ~Impl() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // On every address of the name that this host can listen on; without a name on all of its own,
  // which without IPv6 are those of IPv4.
  base::Result<> listen(const std::string& host, uint16_t port) {
    error_code error;
    std::vector<tcp::endpoint> addresses{{tcp::v6(), port}, {tcp::v4(), port}};
    if (!host.empty()) {
      const auto found = tcp::resolver(context_).resolve(host, std::to_string(port), error);
      if (error) return refuse(host, port, error);
      addresses.assign(found.begin(), found.end());
    }
    for (auto& address : addresses) {
      if (!acceptors_.empty()) address.port(this->port());  // of the first, where any will do
      const auto failed = listen(address, host.empty());
      if (failed) error = failed;
      if (failed && !host.empty())
        spdlog::warn("health and metrics: not at {}: {}", address.address().to_string(),
                     failed.message());
      if (!failed && host.empty()) break;
    }
    if (acceptors_.empty()) return refuse(host, port, error);
    for (auto& acceptor : acceptors_) accept(acceptor);
    thread_ = std::thread([this] { context_.run(); });
    return {};
  }

  uint16_t port() const { return acceptors_.front().local_endpoint().port(); }

 private:
  error_code listen(const tcp::endpoint& address, bool both_families) {
    error_code error;
    tcp::acceptor acceptor(context_);
    acceptor.open(address.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && address.protocol() == tcp::v6())
      acceptor.set_option(asio::ip::v6_only(!both_families), error);
    if (!error) acceptor.bind(address, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) acceptors_.push_back(std::move(acceptor));
    return error;
  }

  static std::unexpected<base::Error> refuse(const std::string& host, uint16_t port,
                                             const error_code& error) {
    return base::fail(base::ErrorCode::unavailable,
                      "listen on " + host + ":" + std::to_string(port) + ": " + error.message());
  }

  void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](const error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later(acceptor, error);
      if (sessions_ < k_most_sessions)
        std::make_shared<Session>(std::move(socket), handler_, sessions_)->read();
      accept(acceptor);
    });
  }

  void accept_later(tcp::acceptor& acceptor, const error_code& why) {
    spdlog::warn("health and metrics: accept: {}", why.message());
    const auto pause = std::make_shared<asio::steady_timer>(context_, k_accept_pause);
    pause->async_wait([this, &acceptor, pause](const error_code& error) {
      if (!error) accept(acceptor);
    });
  }

  Handler handler_;
  size_t sessions_ = 0;  // outlives the context, whose destructor ends sessions
  asio::io_context context_{1};
  std::deque<tcp::acceptor> acceptors_;
  std::thread thread_;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() = default;

base::Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::start(const std::string& host,
                                                                uint16_t port, Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(handler));
  MARGAY_CHECK(impl->listen(host, port));
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
}

uint16_t HttpEndpoint::port() const { return impl_->port(); }

}  // namespace margay::node
