#pragma once

// HTTPS for the router: TLS 1.2 and later, HTTP/1.1 with keep-alive. Connections are coroutines on
// a few threads; requests are handled on others, so that neither a slow client nor a slow request
// holds up anybody else.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/front_proxy.h"
#include "apiserver/metrics.h"
#include "apiserver/pki.h"
#include "apiserver/router.h"
#include "apiserver/tokens.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::apiserver {

struct ServerLimits {
  size_t body_bytes = 3 << 20;               // a larger one is a 413
  size_t yaml_bytes = 1 << 20;               // the same, of one in YAML and of all being handled
  uint32_t header_bytes = 64 << 10;          // a larger one is a 431
  uint32_t unknown_header_bytes = 16 << 10;  // on a connection whose client is not known yet
  std::chrono::seconds handshake{10};
  std::chrono::seconds header{10};  // from its first byte
  std::chrono::seconds body{60};
  std::chrono::seconds idle{180};         // between requests
  std::chrono::seconds unknown_idle{10};  // the same, before the client is known
  std::chrono::seconds write{60};         // one answer, or one piece of a watch
  std::chrono::seconds bookmark{60};      // between bookmarks of a quiet watch
  size_t connections = 16'384;            // beyond: the one idle for longest is closed
  size_t unknown_connections = 1'024;     // beyond: the oldest of them is closed
  // Bodies of requests from this on are counted, all connections' together, while they are received
  // and while they are worked on (which takes some forty times as much). Where there is no room a
  // request is refused with a 429.
  size_t counted_body_bytes = 16 << 10;
  size_t receiving_bytes = 96 << 20;
  size_t handling_bytes = 8 << 20;
  // Of answers that clients have not read, all connections' together; beyond: the client that has
  // been stuck for longest is cut.
  size_t unread_bytes = 64 << 20;
  size_t in_flight = 400;  // requests being handled; beyond: 429
  unsigned io_threads = 2;
  unsigned handler_threads = 8;
  unsigned stream_threads = 2;

  // With no more connections than take half of that memory.
  ServerLimits fitting(size_t memory_bytes, size_t descriptors) const;
};

class Server {
 public:
  struct Options {
    std::string address;  // an IP address
    uint16_t port = 0;    // 0: any free one
    // Sockets that listen already (inherited_sockets.h), instead of one at that address.
    std::vector<base::UniqueFd> sockets = {};
    KeyPair certificate;
    std::string client_authority;  // PEM
    ServerLimits limits = {};
  };
  struct Services {
    const Router& router;
    TokenFile& tokens;
    Metrics& metrics;
    const FrontProxy* front_proxy = nullptr;  // null: nobody's headers say who asks
  };

  // Listens. Connections wait until start().
  static base::Result<std::unique_ptr<Server>> listen(Options options);
  ~Server();

  uint16_t port() const;
  // For the connections that come from now on; those that are open keep theirs. Any thread.
  base::Result<> set_certificates(const KeyPair& certificate, const std::string& client_authority);
  // The services must outlive the server.
  void start(const Services& services);
  // Takes no more connections or requests, ends watches, waits for answers under way up to
  // `patience`, and stops. Any thread, once.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Engine;
  explicit Server(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace margay::apiserver
