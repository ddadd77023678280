#include "apiserver/server.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <thread>

#include "apiserver/connection.h"

namespace margay::apiserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto k_await = asio::as_tuple(asio::use_awaitable);

// HTTP/1.1 is all there is: clients that offer more take it.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char k_http_1_1[] = "\x08http/1.1";
  auto* chosen = const_cast<unsigned char**>(out);
  const auto found = SSL_select_next_proto(chosen, out_size, k_http_1_1, sizeof k_http_1_1 - 1,
                                           offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::shared_ptr<asio::ssl::context> make_tls(const KeyPair& certificate,
                                             const std::string& client_authority) {
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  auto& tls = *made;
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1);
  tls.use_certificate_chain(asio::buffer(certificate.certificate));
  tls.use_private_key(asio::buffer(certificate.key), asio::ssl::context::pem);
  tls.add_certificate_authority(asio::buffer(client_authority));
  tls.set_verify_mode(asio::ssl::verify_peer);
  // Judged by certificate_user(), which reads what the verification found.
  tls.set_verify_callback([](bool, asio::ssl::verify_context&) { return true; });
  auto* native = tls.native_handle();
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  // An idle connection keeps no records' buffers: there may be thousands.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  return made;
}

}  // namespace

ServerLimits ServerLimits::fitting(size_t memory_bytes, size_t descriptors) const {
  // The buffers of its TLS, headers, a body that is not counted, what is read ahead; or a watch and
  // its selectors.
  constexpr size_t k_connection = 224 << 10;
  constexpr size_t k_others = 64;  // descriptors of the store, logs and listeners
  constexpr size_t k_least = 64;
  auto fitted = *this;
  const size_t free = descriptors > k_others ? descriptors - k_others : 0;
  fitted.connections =
      std::min(connections, std::max(k_least, std::min(memory_bytes / 2 / k_connection, free)));
  fitted.unknown_connections = std::min(unknown_connections, fitted.connections / 2);
  return fitted;
}

struct Server::Engine {
  explicit Engine(const Options& options)
      : limits(options.limits),
        handlers(options.limits.handler_threads),
        streams(options.limits.stream_threads) {}

  void open(const Options& options);
  void adopt(base::UniqueFd socket);
  asio::awaitable<void> accept(tcp::acceptor& acceptor);
  void serve(tcp::socket socket);
  std::shared_ptr<asio::ssl::context> present_tls() {
    const std::lock_guard lock(tls_mutex);
    return tls;
  }

  // Coroutines that are still waiting when the server stops end with `io`: what they use comes
  // before it.
  const ServerLimits limits;
  std::unique_ptr<ConnectionContext> context;
  std::mutex tls_mutex;
  std::shared_ptr<asio::ssl::context> tls;  // of the next connection
  asio::thread_pool handlers;
  asio::thread_pool streams;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::vector<tcp::acceptor> acceptors;  // each on a strand of its own
  std::vector<std::thread> threads;
};

void Server::Engine::open(const Options& options) {
  const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
  acceptors.emplace_back(asio::make_strand(io), endpoint, /*reuse_addr=*/true);
}

void Server::Engine::adopt(base::UniqueFd socket) {
  int family = AF_INET;
  socklen_t size = sizeof family;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  acceptors.emplace_back(asio::make_strand(io), family == AF_INET6 ? tcp::v6() : tcp::v4(),
                         socket.release());
}

base::Result<std::unique_ptr<Server>> Server::listen(Options options) {
  auto engine = std::make_unique<Engine>(options);
  try {
    engine->tls = make_tls(options.certificate, options.client_authority);
    for (auto& socket : options.sockets) engine->adopt(std::move(socket));
    if (engine->acceptors.empty()) engine->open(options);
  } catch (const boost::system::system_error& error) {
    return base::fail(base::ErrorCode::unavailable,
                      fmt::format("listen on {} port {}: {}", options.address, options.port,
                                  error.code().message()));
  }
  return std::unique_ptr<Server>(new Server(std::move(engine)));
}

Server::Server(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

Server::~Server() { stop(std::chrono::milliseconds(0)); }

uint16_t Server::port() const { return engine_->acceptors.front().local_endpoint().port(); }

base::Result<> Server::set_certificates(const KeyPair& certificate,
                                        const std::string& client_authority) {
  try {
    auto tls = make_tls(certificate, client_authority);
    const std::lock_guard lock(engine_->tls_mutex);
    engine_->tls = std::move(tls);
  } catch (const boost::system::system_error& error) {
    return base::fail(base::ErrorCode::invalid, "certificates: " + error.code().message());
  }
  return {};
}

void Server::start(const Services& services) {
  engine_->context.reset(
      new ConnectionContext(engine_->limits, services, engine_->handlers, engine_->streams));
  for (auto& acceptor : engine_->acceptors)
    asio::co_spawn(acceptor.get_executor(), engine_->accept(acceptor), asio::detached);
  for (unsigned i = 0; i < engine_->limits.io_threads; ++i)
    engine_->threads.emplace_back([engine = engine_.get()] { engine->io.run(); });
}

asio::awaitable<void> Server::Engine::accept(tcp::acceptor& acceptor) {
  while (true) {
    // Out of descriptors or memory, most likely: what is open goes on, and some will close.
    std::string reason;
    try {
      auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(io), k_await);
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor)
        co_return;
      if (error)
        reason = error.message();
      else
        serve(std::move(socket));
    } catch (const std::exception& failure) {
      reason = failure.what();
    }
    if (reason.empty()) continue;
    spdlog::warn("accept: {}", reason);
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
    co_await pause.async_wait(k_await);
  }
}

void Server::Engine::serve(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  // A client that has lost its power says nothing any more.
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  const auto set = [&](int option, int seconds) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &seconds, sizeof seconds);
  };
  set(TCP_KEEPIDLE, 60);
  set(TCP_KEEPINTVL, 15);
  set(TCP_KEEPCNT, 4);
  const auto connection = std::make_shared<Connection>(std::move(socket), present_tls(), *context);
  if (!context->open.add(connection)) return;
  // Asked once it is among those that stop() ends, so that none is missed.
  if (context->stopping) return context->open.remove(*connection);
  // Keeps the connection until it is removed: another at its place in memory would take its slot.
  const auto ended = [this, connection](const std::exception_ptr& bug) {
    try {
      if (bug) std::rethrow_exception(bug);
    } catch (const std::exception& error) {
      spdlog::error("bug: connection: {}", error.what());
    }
    context->open.remove(*connection);
  };
  asio::co_spawn(connection->executor(), connection->run(), ended);
}

void Server::stop(std::chrono::milliseconds patience) {
  auto& engine = *engine_;
  if (engine.threads.empty()) return;
  engine.context->stopping = true;
  for (auto& acceptor : engine.acceptors)
    asio::post(acceptor.get_executor(), [&acceptor] {
      error_code ignored;
      acceptor.close(ignored);
    });
  for (const auto& connection : engine.context->open.all()) connection->stop();
  if (!engine.context->open.wait_until_empty(patience))
    spdlog::warn("stopping with requests under way: they are cut");
  engine.work.reset();
  engine.io.stop();
  for (auto& thread : engine.threads) thread.join();
  engine.threads.clear();
  engine.handlers.join();
  engine.streams.join();
}

}  // namespace margay::apiserver
