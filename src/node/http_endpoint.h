#pragma once

// A small HTTP/1.1 server for what operators and probes read: health and metrics. Plain GETs with
// short answers, on its own thread, so that it answers even while the agent's loop is busy; that is
// the point of a liveness probe.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::node {

class HttpEndpoint {
 public:
  struct Reply {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
  };
  // Called on the server's thread with the path, without its query.
  using Handler = std::function<Reply(std::string_view path)>;

  // `host`: a name or address; empty: every address. `port` 0: one that is free.
  static base::Result<std::unique_ptr<HttpEndpoint>> start(const std::string& host, uint16_t port,
                                                           Handler handler);
  ~HttpEndpoint();

  uint16_t port() const;

 private:
  class Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::node
