#pragma once

// Where the engine is asked about itself: a Unix socket that only its owner may open. A request is
// one line, a JSON object; its reply is one line, a JSON object that has `error` when it failed.
//
// A client gets one answer at a time: its next request is read when it has taken the last reply. No
// client can hold anything up: whoever sends no whole request, or takes no reply, for ten seconds
// is let go, as is whoever sends a longer line than there is a request for, and there are at most
// 32 of them.

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"

namespace margay::vector {

inline constexpr const char* k_default_socket = "/run/margay/vector.sock";

class ControlSocket {
 private:
  class Client;

 public:
  // How a request is answered: at once or any time later, on the loop's thread, once.
  class Reply {
   public:
    void operator()(const boost::json::object& reply) const;
    // Calls this, on the loop, when the client hangs up before it has been answered.
    void when_gone(std::function<void()> action) const;

   private:
    friend class Client;
    explicit Reply(std::shared_ptr<Client> client) : client_(std::move(client)) {}
    std::shared_ptr<Client> client_;
  };
  using Handler = std::function<void(const boost::json::object& request, const Reply& reply)>;

  static constexpr size_t k_most_clients = 32;
  static constexpr size_t k_longest_request = 4096;

  // A socket file that nobody listens on any more is replaced.
  static base::Result<std::unique_ptr<ControlSocket>> open(base::EventLoop& loop, std::string path,
                                                           Handler handler);
  // Removes the file.
  ~ControlSocket();

 private:
  ControlSocket(base::EventLoop& loop, std::string path, Handler handler);
  void accept();
  void accept_after_a_pause();

  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::string path_;
  Handler handler_;
  std::shared_ptr<size_t> clients_ = std::make_shared<size_t>(0);
};

}  // namespace margay::vector
