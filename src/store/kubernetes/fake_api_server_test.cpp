#include "store/kubernetes/fake_api_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace margay::store::kubernetes {
namespace {

// Reads until `enough` says so; false: the client left first.
bool read_until(SSL* tls, std::string& received, const std::function<bool()>& enough) {
  std::array<char, 4096> bytes{};
  while (!enough()) {
    const int got = SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
    if (got <= 0) return false;
    received.append(bytes.data(), static_cast<size_t>(got));
  }
  return true;
}

bool read_request(SSL* tls, FakeRequest& request) {
  std::string received;
  size_t head_end = std::string::npos;
  if (!read_until(tls, received, [&] {
        head_end = received.find("\r\n\r\n");
        return head_end != std::string::npos;
      }))
    return false;
  request.head = received.substr(0, head_end);
  request.method = request.head.substr(0, request.head.find(' '));
  const auto target = request.method.size() + 1;
  request.target = request.head.substr(target, request.head.find(' ', target) - target);
  size_t length = 0;
  if (const auto at = request.head.find("Content-Length: "); at != std::string::npos)
    length = std::stoul(request.head.substr(at + 16));
  const size_t body = head_end + 4;
  if (!read_until(tls, received, [&] { return received.size() >= body + length; })) return false;
  request.body = received.substr(body, length);
  return true;
}

}  // namespace

void FakeConnection::write(std::string_view bytes) {
  if (!bytes.empty() && SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) <= 0) cut();
}

void FakeConnection::respond(int status, std::string_view body, std::string_view headers) {
  write(fmt::format(
      "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}", status,
      body.size(), headers, body));
}

void FakeConnection::start_chunks() {
  write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void FakeConnection::chunk(std::string_view bytes) {
  write(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

void FakeConnection::wait_until_client_leaves() {
  char byte = 0;
  while (SSL_read(tls_, &byte, 1) > 0) {
  }
  cut();
}

FakeApiServer::FakeApiServer(Handler handler)
    : handler_(std::move(handler)), tls_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  ::signal(SIGPIPE, SIG_IGN);
  make_certificate();
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, any, &size) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeApiServer::~FakeApiServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

std::vector<std::string> FakeApiServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeApiServer::accept_all() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    ++connections_;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void FakeApiServer::serve(int socket) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(tls_.get()), &SSL_free);
  SSL_set_fd(tls.get(), socket);
  FakeConnection connection(tls.get());
  FakeRequest request;
  const bool secure = SSL_accept(tls.get()) == 1;
  while (secure && !connection.is_cut() && read_request(tls.get(), request)) {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request.method + " " + request.target);
    }
    handler_(request, connection);
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, socket);
  ::close(socket);
}

void FakeApiServer::make_certificate() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  auto* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("fake"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  for (const auto& [id, value] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                  std::pair{NID_subject_alt_name, "IP:127.0.0.1"}}) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  SSL_CTX_use_certificate(tls_.get(), certificate.get());
  SSL_CTX_use_PrivateKey(tls_.get(), key.get());

  const std::unique_ptr<BIO, decltype(&BIO_free)> pem(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(pem.get(), certificate.get());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(pem.get(), &text);
  certificate_pem_.assign(text, static_cast<size_t>(size));
}

}  // namespace margay::store::kubernetes
