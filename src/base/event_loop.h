#pragma once

// The loop at the top of a long-running program: Boost.Asio's io_context on the calling thread,
// ended by SIGINT or SIGTERM. What the loop runs owns its state; other threads reach it by post().

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>

namespace margay::base {

class EventLoop {
 public:
  boost::asio::io_context& context() { return context_; }

  // Any thread. Runs `task` on the loop's thread.
  void post(std::function<void()> task) { boost::asio::post(context_, std::move(task)); }

  // Runs until stop() or a signal. Calls `on_signal` (on the loop's thread) at the first SIGINT or
  // SIGTERM; the default stops at once, another may finish its work and call stop() itself. A
  // second signal stops at once whatever the first one's handler does.
  // An exception that reaches here is a bug: it is logged and ends the program with status 70.
  int run(std::function<void()> on_signal = {});

  // Any thread.
  void stop() { context_.stop(); }

 private:
  boost::asio::io_context context_{1};
};

}  // namespace margay::base
