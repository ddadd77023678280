#include "apiserver/connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include "apiserver/counted.h"
#include "apiserver/event_stream.h"
#include "apiserver/list_stream.h"
#include "apiserver/request_head.h"

namespace margay::apiserver {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr size_t k_read_ahead = 64 << 10;  // of a body, at a time

constexpr auto k_await = asio::as_tuple(asio::use_awaitable);

Response refusal(const Status& status) {
  Response response{.code = status.code, .body = status.to_json()};
  if (status.retry_after_seconds > 0)
    response.headers.emplace_back("Retry-After", std::to_string(status.retry_after_seconds));
  return response;
}

template <typename Body>
void fill_header(http::response<Body>& out, const Response& response) {
  out.result(static_cast<unsigned>(response.code));
  out.set(http::field::content_type, response.content_type);
  out.set(http::field::cache_control, "no-cache, private");
  for (const auto& [name, value] : response.headers) out.insert(name, value);
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls,
                       ConnectionContext& context)
    : tls_(std::move(tls)),
      stream_(beast::tcp_stream(std::move(socket)), *tls_),
      context_(context),
      // Headers, and of a body the line of a chunk and trailers, which have no other limit.
      buffer_(context.limits.header_bytes + k_read_ahead),
      events_(stream_.get_executor()) {
  context_.services.metrics.connections().Increment();
}

Connection::~Connection() { context_.services.metrics.connections().Decrement(); }

void Connection::expire_after(std::chrono::seconds time) {
  beast::get_lowest_layer(stream_).expires_after(time);
}

void Connection::close() { beast::get_lowest_layer(stream_).close(); }

void Connection::stop() {
  asio::post(executor(), [self = shared_from_this()] {
    self->must_close_ = true;
    if (self->between_requests_) self->close();
    self->woken_ = true;
    self->events_.cancel();
  });
}

void Connection::cut() {
  asio::post(executor(), [self = shared_from_this()] {
    self->must_close_ = true;
    self->close();
  });
}

void Connection::set_known() {
  if (std::exchange(known_, true)) return;
  context_.open.set_known(*this);
}

asio::awaitable<void> Connection::run() {
  const auto self = shared_from_this();
  if (co_await handshake()) {
    while (co_await serve_one()) {
    }
  }
  close();
}

asio::awaitable<bool> Connection::handshake() {
  expire_after(context_.limits.handshake);
  const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, k_await);
  if (error) {
    spdlog::debug("TLS handshake: {}", error.message());
    co_return false;
  }
  certificate_user_ = certificate_user(stream_.native_handle());
  if (certificate_user_) set_known();
  co_return true;
}

// ---- requests ----------------------------------------------------------------------------------

// Whether the connection can serve another request.
asio::awaitable<bool> Connection::serve_one() {
  if (!co_await wait_for_request()) co_return false;
  head_only_ = false;
  std::optional<Parser> read(std::in_place);
  auto& parser = *read;
  const auto& limits = context_.limits;
  parser.header_limit(known_ ? limits.header_bytes : limits.unknown_header_bytes);
  parser.body_limit(limits.body_bytes);
  auto response = co_await read_and_answer(parser);
  if (!response) co_return false;
  if (response->stream) {
    read.reset();  // a watch lasts
    buffer_.shrink_to_fit();
    co_await send_stream(*response);
    co_return false;
  }
  const bool keep_alive = parser.is_done() && parser.keep_alive() && !must_close_;
  if (response->list) co_return co_await send_list(*response, keep_alive) && keep_alive;
  const bool sent = co_await send(std::move(*response), keep_alive);
  // What the client is still sending must be read, or it would see a reset, not the answer.
  if (sent && !parser.is_done()) co_await drain();
  co_return sent&& keep_alive;
}

asio::awaitable<bool> Connection::wait_for_request() {
  if (must_close_ || context_.stopping) co_return false;
  if (buffer_.size() > 0) co_return true;  // the next one came with the last
  constexpr size_t k_read = 512;           // what an idle connection keeps
  between_requests_ = true;
  expire_after(known_ ? context_.limits.idle : context_.limits.unknown_idle);
  buffer_.shrink_to_fit();
  if (known_) context_.open.set_idle(*this, true);
  const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(k_read), k_await);
  between_requests_ = false;
  if (known_) context_.open.set_idle(*this, false);
  if (error || must_close_) co_return false;
  buffer_.commit(size);
  co_return true;
}

asio::awaitable<std::optional<Response>> Connection::read_and_answer(Parser& parser) {
  expire_after(context_.limits.header);
  const auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, k_await);
  static_cast<void>(size);
  const bool is_too_large = error == http::error::body_limit;  // by its announced length
  if (error && !is_too_large) {
    if (error.category() != http::make_error_code(http::error::bad_target).category())
      co_return std::nullopt;
    co_return answer_read_error(error);
  }
  buffer_.shrink_to_fit();  // the headers are the parser's by now
  head_only_ = parser.get().method() == http::verb::head;
  chunked_ = parser.get().version() >= 11;
  const auto unreadable = check_body_headers(parser.get());
  if (unreadable) must_close_ = true;
  auto user = identify(parser.get());
  if (!user) co_return refuse_request(parser.get(), anonymous(), user.error());
  if (unreadable) co_return refuse_request(parser.get(), *std::move(user), *unreadable);
  if (asks_to_impersonate(parser.get()))
    co_return refuse_request(
        parser.get(), *std::move(user),
        {403, "Forbidden", "impersonation is not supported: nothing is done as the client itself"});
  if (is_too_large)
    co_return refuse_request(parser.get(), *std::move(user), too_large(context_.limits.body_bytes));
  if (chunked_ && parser.get().count(http::field::host) != 1)
    co_return refuse_request(
        parser.get(), *std::move(user),
        bad_request("an HTTP/1.1 request must have one Host header (RFC 9112, 3.2)"));
  // What is public takes no body; one would use up the room of those who say who they are.
  if (!known_ && !parser.is_done())
    co_return refuse_request(parser.get(), *std::move(user),
                             bad_request("a request of nobody known must not have a body"));
  const auto most = is_yaml(parser.get()) ? context_.limits.yaml_bytes : context_.limits.body_bytes;
  if (parser.content_length().value_or(0) > most)
    co_return refuse_request(parser.get(), *std::move(user), too_large(most));
  parser.body_limit(most);
  const auto announced = std::min<uint64_t>(parser.content_length().value_or(most), most);
  const auto room = lease(context_.receiving, parser.is_done() ? 0 : announced);
  if (!room) co_return refuse_request(parser.get(), *std::move(user), too_many_requests(1));
  if (!parser.is_done() && !co_await read_body(parser)) co_return std::nullopt;
  if (!parser.is_done()) co_return refuse_request(parser.get(), *std::move(user), too_large(most));
  co_return co_await answer(parser.get(), *std::move(user));
}

Answer<User> Connection::identify(const Parser::value_type& message) {
  auto user = proxied_user(message);
  if (!user) {
    MARGAY_TRY(user, authenticate(certificate_user_, message[http::field::authorization],
                                  context_.services.tokens));
  }
  if (user) {
    set_known();
    return as_authenticated(*std::move(user));
  }
  if (!is_public(message.target())) return refuse(unauthorized());
  return anonymous();
}

// Whom the front proxy asks for, if the client is the front proxy.
std::optional<User> Connection::proxied_user(const Parser::value_type& message) {
  const auto* proxy = context_.services.front_proxy;
  if (proxy == nullptr) return std::nullopt;
  std::vector<HeaderField> headers;
  for (const auto& field : message)
    headers.emplace_back(std::string_view(field.name_string()), std::string_view(field.value()));
  auto user = user_of_headers(headers);
  return user && proxy->is_proxy(stream_.native_handle()) ? std::move(user) : std::nullopt;
}

std::string Connection::peer_address() {
  error_code error;
  const auto peer = beast::get_lowest_layer(stream_).socket().remote_endpoint(error);
  return error ? std::string() : peer.address().to_string();
}

std::optional<ByteBudget::Lease> Connection::lease(ByteBudget& budget, size_t body_bytes) {
  return budget.take(body_bytes < context_.limits.counted_body_bytes ? 0 : body_bytes);
}

// False: the client went away. True with the parser not done: the body is too large.
asio::awaitable<bool> Connection::read_body(Parser& parser) {
  expire_after(context_.limits.body);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on{http::status::continue_, 11};
    const auto [error, size] = co_await http::async_write(stream_, go_on, k_await);
    static_cast<void>(size);
    if (error) co_return false;
  }
  const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, k_await);
  static_cast<void>(size);
  co_return !error || error == http::error::body_limit;
}

Response Connection::answer_read_error(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refusal({431, "RequestHeaderFieldsTooLarge", "the request's headers are too large"});
  return refusal(bad_request("malformed HTTP request: " + error.message()));
}

Request Connection::request_of(Parser::value_type& message, User user) {
  return {.method = method_of(message.method()),
          .target = message.target(),
          .accept = message[http::field::accept],
          .content_type = message[http::field::content_type],
          .body = std::move(message.body()),
          .user = std::move(user),
          .source = peer_address(),
          .user_agent = message[http::field::user_agent]};
}

Response Connection::refuse_request(Parser::value_type& message, User user, const Status& status) {
  RequestLabels labels;
  auto response =
      context_.services.router.reject(request_of(message, std::move(user)), status, labels);
  context_.services.metrics.count_request(labels, response.code, {});
  return response;
}

asio::awaitable<Response> Connection::answer(Parser::value_type& message, User user) {
  // YAML costs six times as much: its scanner keeps every word of a flow collection until the end
  // of it is seen.
  const auto room =
      lease(is_yaml(message) ? context_.yaml : context_.handling, message.body().size());
  if (!room || context_.in_flight >= context_.limits.in_flight)
    co_return refuse_request(message, std::move(user), too_many_requests(1));
  const Request request = request_of(message, std::move(user));
  const InFlight one_more(context_.in_flight);
  const Counted counted(context_.services.metrics.in_flight());
  const auto& router = context_.services.router;
  const auto begin = steady_clock::now();
  RequestLabels labels;
  auto response = co_await handle([&] { return router.handle(request, labels); });
  while (response.unfinished) {
    const auto rest = std::move(response.unfinished);
    const bool give_up = context_.stopping;
    response = co_await handle(
        [&] { return give_up ? router.give_up(request, *rest) : router.go_on(request, rest); });
  }
  context_.services.metrics.count_request(labels, response.code, steady_clock::now() - begin);
  co_return response;
}

// Runs `work`, which throws nothing, on a thread of the pool, and comes back. Not by co_spawn():
// its result goes through the pool's queue a second time, behind all that has come meanwhile, and
// is held for so long.
template <typename Work>
asio::awaitable<void> Connection::run_on(asio::thread_pool& pool, Work work) {
  co_await asio::post(asio::bind_executor(pool, asio::use_awaitable));
  work();
  co_await asio::post(asio::bind_executor(executor(), asio::use_awaitable));
}

// Runs `work` on a handler thread.
template <typename Work>
asio::awaitable<Response> Connection::handle(Work work) {
  std::optional<Response> response;
  co_await run_on(context_.handlers, [&] {
    try {
      response = work();
    } catch (const std::exception& bug) {
      spdlog::error("bug: {}", bug.what());
      response = refusal(internal("the server has a bug; its log says more"));
    }
  });
  co_return *std::move(response);
}

asio::awaitable<bool> Connection::send(Response response, bool keep_alive) {
  HttpResponse out;
  out.version(11);
  fill_header(out, response);
  out.keep_alive(keep_alive);
  const auto size_of_body = response.body.size();
  if (!head_only_) out.body() = std::move(response.body);
  out.content_length(size_of_body);
  const auto wait = wait_for_client({.own = out.body().size()});
  expire_after(context_.limits.write);
  const auto [error, size] = co_await http::async_write(stream_, out, k_await);
  static_cast<void>(size);
  co_return !error;
}

UnreadAnswers::Wait Connection::wait_for_client(Unread unread) {
  return context_.unread.wait(std::move(unread), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->cut();
  });
}

asio::awaitable<void> Connection::drain() {
  const size_t most = known_ ? 64 << 20 : context_.limits.body_bytes;
  constexpr std::chrono::seconds k_patience{5};
  std::vector<char> scratch(64 << 10);
  expire_after(k_patience);
  for (size_t read = 0; read < most;) {
    const auto [error, size] = co_await stream_.async_read_some(asio::buffer(scratch), k_await);
    if (error) co_return;
    read += size;
  }
}

// ---- bodies that are made while they are sent --------------------------------------------------

// Any thread. The connection is let go on its own executor only: its end takes its watch with it,
// which must not happen within a call of that watch.
void Connection::wake(const std::weak_ptr<Connection>& connection) {
  auto self = connection.lock();
  if (!self) return;
  const auto strand = self->executor();
  asio::post(strand, [self = std::move(self)] {
    self->woken_ = true;
    self->events_.cancel();
  });
}

template <typename Body>
asio::awaitable<bool> Connection::read_more(Body& body) {
  bool is_read = false;
  co_await run_on(context_.streams, [&] {
    try {
      body.read();
      is_read = true;
    } catch (const std::exception& bug) {
      spdlog::error("bug: {}", bug.what());
    }
  });
  co_return is_read;
}

asio::awaitable<void> Connection::send_stream(const Response& response) {
  const Counted counted(context_.services.metrics.watches());
  auto& stream = *response.stream;
  stream.on_ready([weak = weak_from_this()] { wake(weak); });
  if (!co_await send_stream_header(response, false) || head_only_) co_return;
  // From here on the only read is watch_peer()'s, which may wait for as long as the watch lasts.
  beast::get_lowest_layer(stream_).expires_never();
  const auto deadline = steady_clock::now() + stream.timeout();
  auto next_bookmark = steady_clock::now() + context_.limits.bookmark;
  asio::co_spawn(executor(), watch_peer(), asio::detached);

  // An event that has begun is finished, unless there is nobody to finish it for.
  while (!peer_gone_ &&
         (stream.is_within_event() || (!must_close_ && steady_clock::now() < deadline))) {
    auto piece = stream.take();
    if (!piece.text.empty() && !co_await send_chunk(std::move(piece.text), stream.unread()))
      co_return;
    if (piece.next == Piece::Next::end) break;
    if (piece.next == Piece::Next::take) continue;
    if (piece.next == Piece::Next::read) {
      if (!co_await read_more(stream)) co_return;
      continue;
    }
    if (steady_clock::now() >= next_bookmark) {
      next_bookmark = steady_clock::now() + context_.limits.bookmark;
      auto bookmark = stream.take_bookmark();
      if (!bookmark.empty() && !co_await send_chunk(std::move(bookmark))) co_return;
    }
    co_await wait_for_events(std::min(deadline, next_bookmark));
  }
  if (!peer_gone_) co_await send_last_chunk(stream.take_bookmark());
}

asio::awaitable<bool> Connection::send_list(const Response& response, bool keep_alive) {
  if (!co_await send_stream_header(response, keep_alive && chunked_)) co_return false;
  if (head_only_) co_return chunked_;
  while (true) {
    auto piece = response.list->take();
    if (!piece.text.empty() && !co_await send_chunk(std::move(piece.text), response.list->unread()))
      co_return false;
    if (piece.next == Piece::Next::read && !co_await read_more(*response.list)) co_return false;
    if (piece.next == Piece::Next::cut) co_return false;
    if (piece.next == Piece::Next::end) co_return co_await send_last_chunk({}) && chunked_;
  }
}

asio::awaitable<bool> Connection::send_stream_header(const Response& response, bool keep_alive) {
  http::response<http::empty_body> header;
  header.version(11);
  fill_header(header, response);
  if (chunked_) header.chunked(true);
  header.keep_alive(keep_alive);
  http::response_serializer<http::empty_body> serializer(header);
  expire_after(context_.limits.write);
  const auto [error, size] = co_await http::async_write_header(stream_, serializer, k_await);
  static_cast<void>(size);
  co_return !error;
}

asio::awaitable<bool> Connection::send_chunk(std::string text, Unread unread) {
  unread.own += text.size();
  const auto wait = wait_for_client(std::move(unread));
  expire_after(context_.limits.write);
  const auto buffer = asio::buffer(text);
  context_.services.metrics.count_watch_bytes(text.size());
  if (chunked_) {
    const auto [error, size] =
        co_await asio::async_write(stream_, http::make_chunk(buffer), k_await);
    co_return !error;
  }
  const auto [error, size] = co_await asio::async_write(stream_, buffer, k_await);
  co_return !error;
}

asio::awaitable<bool> Connection::send_last_chunk(std::string text) {
  if (!text.empty() && !co_await send_chunk(std::move(text))) co_return false;
  if (!chunked_) co_return true;
  expire_after(context_.limits.write);
  const auto [error, size] = co_await asio::async_write(stream_, http::make_chunk_last(), k_await);
  static_cast<void>(size);
  co_return !error;
}

// A watch's client has nothing more to say; when the read ends, it has gone.
asio::awaitable<void> Connection::watch_peer() {
  const auto self = shared_from_this();
  std::array<char, 256> scratch;
  while (true) {
    const auto [error, size] = co_await stream_.async_read_some(asio::buffer(scratch), k_await);
    static_cast<void>(size);
    if (error) break;
  }
  peer_gone_ = true;
  woken_ = true;
  events_.cancel();
}

asio::awaitable<void> Connection::wait_for_events(steady_clock::time_point until) {
  if (!woken_) {
    events_.expires_at(until);
    const auto [error] = co_await events_.async_wait(k_await);
    static_cast<void>(error);
  }
  woken_ = false;
}

}  // namespace margay::apiserver
