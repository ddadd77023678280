#include "vector/control/control_socket.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

namespace margay::vector {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

constexpr std::chrono::seconds k_patience{10};
constexpr std::chrono::milliseconds k_pause{100};  // when there are no descriptors

json::object error_reply(std::string_view text) { return {{"error", text}}; }

bool somebody_listens(base::EventLoop& loop, const std::string& path) {
  Local::socket probe(loop.context());
  error_code error;
  probe.connect(Local::endpoint(path), error);
  return !error;
}

Result<> clear_the_way(base::EventLoop& loop, const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    return {};
  }
  if (!std::filesystem::is_socket(status))
    return fail(ErrorCode::already_exists, fmt::format("{} is there, and is no socket", path));
  if (somebody_listens(loop, path))
    return fail(ErrorCode::already_exists, fmt::format("an engine listens on {} already", path));
  std::filesystem::remove(path, error);
  return {};
}

}  // namespace

// Lives for as long as something that it waits for.
class ControlSocket::Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Local::socket socket, const Handler& handler, std::shared_ptr<size_t> clients)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        handler_(handler),
        clients_(std::move(clients)) {
    ++*clients_;
  }
  ~Client() { --*clients_; }

  // Once: sees that the client hangs up, whatever else goes on.
  void watch() {
    socket_.async_wait(Local::socket::wait_error, [weak = weak_from_this()](error_code error) {
      if (const auto self = weak.lock(); self && !error && self->on_gone_)
        std::exchange(self->on_gone_, nullptr)();
    });
  }
  void on_gone(std::function<void()> action) { on_gone_ = std::move(action); }
  void read() {
    limit_time();
    asio::async_read_until(socket_, asio::dynamic_buffer(received_, k_longest_request), '\n',
                           [self = shared_from_this()](error_code error, size_t length) {
                             self->timer_.cancel();
                             if (error == asio::error::not_found)
                               return self->send(error_reply("the request is too long"), false);
                             if (!error) self->answer(length);
                           });
  }
  void send(const json::object& reply, bool goes_on) {
    on_gone_ = nullptr;
    reply_ = json::serialize(reply) + '\n';
    limit_time();
    asio::async_write(socket_, asio::buffer(reply_),
                      [self = shared_from_this(), goes_on](error_code error, size_t) {
                        self->timer_.cancel();
                        self->reply_ = {};
                        if (!error && goes_on) self->read();
                      });
  }

 private:
  void limit_time() {
    timer_.expires_after(k_patience);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || !self || self->timer_.expiry() > std::chrono::steady_clock::now()) return;
      error_code ignored;
      self->socket_.close(ignored);
    });
  }
  void answer(size_t length) {
    error_code error;
    const auto request = json::parse(std::string_view(received_).substr(0, length), error);
    received_.erase(0, length);
    if (error || !request.is_object())
      return send(error_reply("a request is one line, a JSON object"), true);
    handler_(request.get_object(), Reply(shared_from_this()));
  }

  Local::socket socket_;
  asio::steady_timer timer_;
  const Handler& handler_;
  std::shared_ptr<size_t> clients_;
  std::function<void()> on_gone_;
  std::string received_, reply_;
};

void ControlSocket::Reply::operator()(const json::object& reply) const {
  client_->send(reply, true);
}

void ControlSocket::Reply::when_gone(std::function<void()> action) const {
  client_->on_gone(std::move(action));
}

ControlSocket::ControlSocket(base::EventLoop& loop, std::string path, Handler handler)
    : acceptor_(loop.context()),
      pause_(loop.context()),
      path_(std::move(path)),
      handler_(std::move(handler)) {}

ControlSocket::~ControlSocket() {
  std::error_code ignored;
  if (acceptor_.is_open()) std::filesystem::remove(path_, ignored);
}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(base::EventLoop& loop, std::string path,
                                                           Handler handler) {
  MARGAY_CHECK(clear_the_way(loop, path));
  std::unique_ptr<ControlSocket> made(new ControlSocket(loop, std::move(path), std::move(handler)));
  const auto refused = [&](const error_code& error) {
    return fail(ErrorCode::unavailable,
                fmt::format("control socket {}: {}", made->path_, error.message()));
  };
  if (made->path_.size() >= sizeof(sockaddr_un::sun_path))
    return fail(ErrorCode::invalid, fmt::format("control socket {}: too long a path", made->path_));
  Local::acceptor acceptor(loop.context(), Local());
  error_code error;
  const mode_t before = umask(0177);  // from the beginning nobody else may open it
  acceptor.bind(Local::endpoint(made->path_), error);
  umask(before);
  if (error) return refused(error);
  made->acceptor_ = std::move(acceptor);
  if (made->acceptor_.listen(Local::socket::max_listen_connections, error); error)
    return refused(error);
  made->accept();
  return made;
}

void ControlSocket::accept() {
  acceptor_.async_accept([this](error_code error, Local::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      spdlog::warn("control socket: {}", error.message());
      return accept_after_a_pause();
    }
    const bool is_full = *clients_ >= k_most_clients;
    const auto client = std::make_shared<Client>(std::move(socket), handler_, clients_);
    client->watch();
    if (is_full)
      client->send(error_reply("too many clients"), false);
    else
      client->read();
    accept();
  });
}

void ControlSocket::accept_after_a_pause() {
  pause_.expires_after(k_pause);
  pause_.async_wait([this](error_code error) {
    if (!error) accept();
  });
}

}  // namespace margay::vector
