#include "store/kubernetes/https_client.h"

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <charconv>
#include <functional>
#include <mutex>

#include "store/kubernetes/https_connection.h"

namespace margay::store::kubernetes {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr size_t k_max_idle = 8;
// Shorter than what servers allow (Kubernetes: 90 s and more), so that the client closes first.
constexpr std::chrono::seconds k_max_idle_time{30};
constexpr uint32_t k_header_limit = 64U << 10U;

struct Server {
  Address address;
  std::string prefix;
  std::string host_header;
};

Result<Server> parse_server(const HttpsOptions& options) {
  const auto url = boost::urls::parse_uri(options.server);
  if (!url || url->scheme() != "https" || url->encoded_host().empty())
    return fail(ErrorCode::invalid,
                fmt::format("server \"{}\" is not an https URL", options.server));
  Server server;
  server.address.host = url->host_address();
  server.address.port = url->has_port() ? std::string(url->port()) : "443";
  if (url->port_number() == 0 && url->has_port())
    return fail(ErrorCode::invalid, fmt::format("server \"{}\": bad port", options.server));
  server.address.server_name =
      options.server_name.empty() ? server.address.host : options.server_name;
  server.address.verify = !options.insecure_skip_verify;
  server.host_header = std::string(url->encoded_host_and_port());
  server.prefix = std::string(url->encoded_path());
  while (server.prefix.ends_with('/')) server.prefix.pop_back();
  return server;
}

Result<> load_tls(asio::ssl::context& tls, const HttpsOptions& options) {
  boost::system::error_code error;
  const auto failed = [&error](std::string_view what) {
    return fail(ErrorCode::invalid, fmt::format("{}: {}", what, error.message()));
  };
  if (SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION) != 1)
    return fail(ErrorCode::internal, "OpenSSL does not know TLS 1.2");
  tls.set_verify_mode(options.insecure_skip_verify ? asio::ssl::verify_none
                                                   : asio::ssl::verify_peer);
  if (!options.ca_pem.empty()) {
    tls.add_certificate_authority(asio::buffer(options.ca_pem), error);
    if (error) return failed("certificate authority");
  } else if (!options.insecure_skip_verify) {
    tls.set_default_verify_paths(error);
    if (error) return failed("the system's certificate authorities");
  }
  if (options.certificate_pem.empty() != options.key_pem.empty())
    return fail(ErrorCode::invalid, "a client certificate and its key go together: one is missing");
  if (options.certificate_pem.empty()) return {};
  tls.use_certificate_chain(asio::buffer(options.certificate_pem), error);
  if (error) return failed("client certificate");
  tls.use_private_key(asio::buffer(options.key_pem), asio::ssl::context::pem, error);
  if (error) return failed("client key");
  return {};
}

template <typename Message>
HttpsResponse head_of(const Message& message) {
  HttpsResponse response;
  response.status = message.result_int();
  response.content_type = std::string(message[http::field::content_type]);
  const auto text = message[http::field::retry_after];
  int64_t seconds = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec == std::errc())
    response.retry_after = std::chrono::seconds(seconds);
  return response;
}

bool changes_nothing(const HttpsRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

// What a failure after the request was (partly) sent means to the caller.
base::Error after_sending(const HttpsRequest& request, base::Error error) {
  error = std::move(error).wrap(request.method + " " + request.target);
  if (changes_nothing(request) || error.code == ErrorCode::too_large) return error;
  error.code = ErrorCode::timeout;
  error.message += "; whether it has been carried out is unknown";
  return error;
}

}  // namespace

struct HttpsClient::Impl {
  explicit Impl(const HttpsOptions& given) : options(given), tls(asio::ssl::context::tls_client) {}

  WireRequest wire(const HttpsRequest& request) const {
    WireRequest message;
    message.version(11);
    message.method_string(request.method);
    message.target(server.prefix + request.target);
    message.set(http::field::host, server.host_header);
    message.set(http::field::user_agent, "margay/" MARGAY_VERSION);
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    return message;
  }

  Result<> connect(HttpsConnection& connection, Deadline deadline) const {
    return connection.connect(server.address, std::min(deadline, std::chrono::steady_clock::now() +
                                                                     options.connect_timeout));
  }

  std::unique_ptr<HttpsConnection> take_idle() {
    const auto oldest = std::chrono::steady_clock::now() - k_max_idle_time;
    const std::lock_guard lock(mutex);
    while (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      if (connection->idle_since > oldest && !connection->stale()) return connection;
    }
    return nullptr;
  }

  void put_idle(std::unique_ptr<HttpsConnection> connection) {
    connection->idle_since = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex);
    if (idle.size() < k_max_idle) idle.push_back(std::move(connection));
  }

  // Keeps the connection for later, or leaves it with the caller.
  Result<HttpsResponse> exchange(std::unique_ptr<HttpsConnection>& connection,
                                 const HttpsRequest& request, Deadline deadline) {
    WireRequest message = wire(request);
    MARGAY_CHECK(connection->write(message, deadline));
    WholeParser parser;
    parser.header_limit(k_header_limit);
    parser.body_limit(options.max_body);
    if (request.method == "HEAD") parser.skip(true);
    MARGAY_CHECK(connection->read_all(parser, deadline));
    auto response = head_of(parser.get());
    response.body = std::move(parser.get().body());
    if (parser.get().keep_alive()) put_idle(std::move(connection));
    return response;
  }

  HttpsOptions options;
  Server server;
  asio::ssl::context tls;
  std::mutex mutex;
  std::vector<std::unique_ptr<HttpsConnection>> idle;  // most recently used last
};

namespace {

class Stream final : public HttpsStream {
 public:
  using Connect = std::function<Result<>(HttpsConnection&, Deadline)>;
  using Wire = std::function<WireRequest(const HttpsRequest&)>;

  Stream(asio::ssl::context& tls, size_t max_body, Connect connect, Wire wire)
      : connection_(tls),
        max_body_(max_body),
        connect_(std::move(connect)),
        wire_(std::move(wire)) {
    parser_.header_limit(k_header_limit);
    parser_.body_limit(boost::none);
  }

  Result<HttpsResponse> open(const HttpsRequest& request) override {
    const auto deadline = std::chrono::steady_clock::now() + request.timeout;
    MARGAY_CHECK(connect_(connection_, deadline));
    auto message = wire_(request);
    MARGAY_CHECK(connection_.write(message, deadline));
    MARGAY_CHECK(connection_.read_header(parser_, deadline));
    auto response = head_of(parser_.get());
    if (!response.ok())
      MARGAY_CHECK(connection_.read_all(parser_, response.body, max_body_, deadline));
    return response;
  }

  Result<std::string> read(std::chrono::milliseconds timeout) override {
    return connection_.read_some(parser_, std::chrono::steady_clock::now() + timeout);
  }

  void cancel() override { connection_.cancel(); }

 private:
  HttpsConnection connection_;
  StreamParser parser_;
  size_t max_body_;
  Connect connect_;
  Wire wire_;
};

}  // namespace

Result<std::unique_ptr<HttpsClient>> HttpsClient::create(const HttpsOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  MARGAY_TRY(impl->server, parse_server(options));
  MARGAY_CHECK(load_tls(impl->tls, options));
  return std::unique_ptr<HttpsClient>(new HttpsClient(std::move(impl)));
}

HttpsClient::HttpsClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpsClient::~HttpsClient() = default;

Result<HttpsResponse> HttpsClient::send(const HttpsRequest& request) {
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  if (auto kept = impl_->take_idle()) {
    auto response = impl_->exchange(kept, request, deadline);
    if (response) return response;
    // The server may close a kept connection at any time; where it is safe, ask on a new one.
    if (!changes_nothing(request) || kept->answered() ||
        response.error().code == ErrorCode::timeout)
      return fail(after_sending(request, std::move(response).error()));
  }
  auto connection = std::make_unique<HttpsConnection>(impl_->tls);
  MARGAY_CHECK(impl_->connect(*connection, deadline));
  auto response = impl_->exchange(connection, request, deadline);
  if (!response) return fail(after_sending(request, std::move(response).error()));
  return response;
}

std::unique_ptr<HttpsStream> HttpsClient::stream() {
  return std::make_unique<Stream>(
      impl_->tls, impl_->options.max_body,
      [impl = impl_.get()](HttpsConnection& connection, Deadline deadline) {
        return impl->connect(connection, deadline);
      },
      [impl = impl_.get()](const HttpsRequest& request) { return impl->wire(request); });
}

}  // namespace margay::store::kubernetes
