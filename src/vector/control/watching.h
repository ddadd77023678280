#pragma once

// Traces and captures on request: one at a time, each ended when it has enough, or when its time is
// over or nobody waits for it any more. On the loop's thread.

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "vector/control/configured.h"
#include "vector/control/control_socket.h"
#include "vector/control/flow_filter.h"
#include "vector/engine.h"

namespace margay::vector {

struct WatchRequest {
  size_t count = 1;
  std::chrono::milliseconds limit{};
  FlowFilter filter;
  std::string node;  // capture: a glob
};

class Watching {
 public:
  // All outlive this.
  Watching(base::EventLoop& loop, Engine& engine, const Configured& configured)
      : loop_(loop), engine_(engine), configured_(configured), limit_(loop.context()) {}

  void trace(const WatchRequest& request, const ControlSocket::Reply& reply);
  void capture(const WatchRequest& request, const ControlSocket::Reply& reply);

 private:
  template <typename Watcher>
  void watch(const std::shared_ptr<Watcher>& watcher, std::chrono::milliseconds limit,
             const ControlSocket::Reply& reply, std::function<void()> finish);
  // For whoever watches; called in any thread.
  std::function<void()> when_done();
  void end(uint64_t number);

  base::EventLoop& loop_;
  Engine& engine_;
  const Configured& configured_;
  uint64_t number_ = 0;           // of the present watch, or the last
  std::function<void()> finish_;  // null: nobody watches
  boost::asio::steady_timer limit_;
};

}  // namespace margay::vector
