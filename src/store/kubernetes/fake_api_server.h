#pragma once

// A FAKE API server for tests of how the client behaves when a server misbehaves: it knows nothing
// of Kubernetes, answers what the test's handler writes, byte by byte if need be, and can cut a
// connection anywhere. What the store does with a real server is tested with the real one.

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace margay::store::kubernetes {

struct FakeRequest {
  std::string method;
  std::string target;
  std::string head;  // request line and headers
  std::string body;
};

class FakeConnection {
 public:
  explicit FakeConnection(SSL* tls) : tls_(tls) {}
  void write(std::string_view bytes);
  void respond(int status, std::string_view body, std::string_view headers = {});
  // A streamed response: its head, then pieces, then perhaps its end.
  void start_chunks();
  void chunk(std::string_view bytes);
  void end_chunks() { write("0\r\n\r\n"); }
  // No answer, or no more of it.
  void cut() { cut_ = true; }
  void wait_until_client_leaves();
  bool is_cut() const { return cut_; }

 private:
  SSL* tls_;
  bool cut_ = false;
};

class FakeApiServer {
 public:
  // Called for each request, on the thread of its connection.
  using Handler = std::function<void(const FakeRequest&, FakeConnection&)>;

  explicit FakeApiServer(Handler handler);
  FakeApiServer(const FakeApiServer&) = delete;
  ~FakeApiServer();

  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  // The certificate is for 127.0.0.1, and its own authority.
  const std::string& ca_pem() const { return certificate_pem_; }
  int connections() const { return connections_; }
  std::vector<std::string> requests() const;  // "GET /path", in the order of arrival

 private:
  void accept_all();
  void serve(int socket);
  void make_certificate();

  const Handler handler_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_;
  std::string certificate_pem_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<int> sockets_;  // open ones
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace margay::store::kubernetes
