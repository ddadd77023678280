#pragma once

// A small blocking HTTPS/1.1 client for one server: kept-alive connections, a deadline on every
// call, and streamed responses for watches. Nothing connects before the first call.
//
// Errors: `unavailable` when the request certainly has not been acted on (or does not change
// anything), so that it may be sent again; `timeout` when it may have been; `unauthorized` when the
// server's certificate is not trusted. Any HTTP status is a response, not an error.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace margay::store::kubernetes {

struct HttpsOptions {
  std::string server;           // "https://host[:port][/prefix]"
  std::string ca_pem;           // whom to trust; empty: the system's authorities
  std::string certificate_pem;  // the client's, with its chain; empty: none
  std::string key_pem;
  std::string server_name;  // the name in the server's certificate; empty: the host
  bool insecure_skip_verify = false;
  std::chrono::milliseconds connect_timeout{5'000};
  size_t max_body = 512U << 20U;
};

struct HttpsRequest {
  std::string method = "GET";
  std::string target;  // path and query, after the server's prefix
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{30'000};  // for the whole call, connecting included
};

struct HttpsResponse {
  unsigned status = 0;
  std::string content_type;
  std::optional<std::chrono::seconds> retry_after;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
};

// One response, read as it arrives, on a connection of its own. One thread, except for cancel().
class HttpsStream {
 public:
  virtual ~HttpsStream() = default;
  // A success has no body here: read() gives it. Any other response is read as a whole.
  virtual base::Result<HttpsResponse> open(const HttpsRequest& request) = 0;
  // The next bytes, as soon as there are some; none: the server ended the response. Nothing
  // within `timeout`: `timeout`. A connection that is gone unnoticed fails within half a minute.
  virtual base::Result<std::string> read(std::chrono::milliseconds timeout) = 0;
  // Any thread. The call under way, and every later one, fails.
  virtual void cancel() = 0;
};

// Safe from any thread.
class HttpsClient {
 public:
  // Certificates or keys that can't be read, or a server that is no https URL: `invalid`.
  static base::Result<std::unique_ptr<HttpsClient>> create(const HttpsOptions& options);
  ~HttpsClient();

  base::Result<HttpsResponse> send(const HttpsRequest& request);
  // Must not outlive the client.
  std::unique_ptr<HttpsStream> stream();

 private:
  struct Impl;
  explicit HttpsClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::store::kubernetes
