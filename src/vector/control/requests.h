#pragma once

// What the control socket can be asked. What only a worker may touch is asked of the worker
// (jobs.h), so that nothing here stops or races it. On the loop's thread.

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <vector>

#include "base/event_loop.h"
#include "vector/control/configured.h"
#include "vector/control/control_socket.h"
#include "vector/control/watching.h"
#include "vector/engine.h"

namespace margay::vector {

// What a worker has done since it started.
struct WorkerTotals {
  uint64_t polls = 0, packets = 0;
  uint64_t sessions4 = 0, sessions6 = 0, session_bytes = 0;
  uint64_t at_ms = 0;
};

class Requests {
 public:
  using Reply = ControlSocket::Reply;
  using Reload = std::function<base::Result<>()>;

  // All outlive this; the workers have stopped when it is destroyed.
  Requests(base::EventLoop& loop, Engine& engine, const Configured& configured, Reload reload);

  // {"command": "show", "what": "nodes"}, and so on: docs/guide/vector.md.
  void handle(const boost::json::object& request, const Reply& reply);

 private:
  using Run = void (Requests::*)(const boost::json::object&, const Reply&);

  void reload(const boost::json::object& request, const Reply& reply);
  void show(const boost::json::object& request, const Reply& reply);
  void show_nodes(const boost::json::object& request, const Reply& reply);
  void show_drops(const boost::json::object& request, const Reply& reply);
  void show_sessions(const boost::json::object& request, const Reply& reply);
  void show_policies(const boost::json::object& request, const Reply& reply);
  void show_services(const boost::json::object& request, const Reply& reply);
  void show_runtime(const boost::json::object& request, const Reply& reply);
  void trace(const boost::json::object& request, const Reply& reply);
  void capture(const boost::json::object& request, const Reply& reply);
  boost::json::object runtime(const std::vector<WorkerTotals>& now) const;
  void every_second();

  base::EventLoop& loop_;
  Engine& engine_;
  const Configured& configured_;
  Reload reload_;
  Watching watching_;
  boost::asio::steady_timer second_;
  std::vector<WorkerTotals> a_second_ago_, latest_;
};

}  // namespace margay::vector
