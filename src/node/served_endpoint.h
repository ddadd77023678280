#pragma once

// An HttpEndpoint that is there as soon as its port is to be had: whoever has the port meanwhile
// keeps operators from seeing this agent, not this agent from its work.

#include <cstdint>
#include <memory>
#include <string>

#include "node/http_endpoint.h"
#include "node/retried_task.h"

namespace margay::node {

class ServedEndpoint {
 public:
  // `name` is how the log calls it. As HttpEndpoint::start() takes them.
  ServedEndpoint(const std::string& name, std::string host, uint16_t port,
                 HttpEndpoint::Handler handler)
      : task_(name + " endpoint",
              [this, host = std::move(host), port, handler = std::move(handler)] {
                return serve(host, port, handler);
              }) {}

  void start() { task_.request(); }

 private:
  base::Result<> serve(const std::string& host, uint16_t port,
                       const HttpEndpoint::Handler& handler) {
    MARGAY_TRY(endpoint_, HttpEndpoint::start(host, port, handler));
    return {};
  }

  std::unique_ptr<HttpEndpoint> endpoint_;  // the task's, and then nobody's
  RetriedTask task_;
};

}  // namespace margay::node
