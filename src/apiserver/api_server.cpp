#include "apiserver/api_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <atomic>
#include <charconv>
#include <cstdint>

#include "apiserver/documents.h"
#include "apiserver/namespace_sweeper.h"
#include "apiserver/pki_upkeep.h"
#include "apiserver/state_dir.h"
#include "apiserver/tiers.h"
#include "base/address.h"
#include "base/file.h"
#include "base/memory_limit.h"

namespace margay::apiserver {
namespace {

size_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : SIZE_MAX;
}

// How clients on this machine reach a server that listens there.
std::string reachable(const std::string& address) {
  if (address == "0.0.0.0") return "127.0.0.1";
  if (address == "::") return "[::1]";
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

// A full disk takes no new object, but a server is what it takes to remove some: what is missing is
// made at a later start.
base::Result<> restored(const Answer<>& made) {
  constexpr int k_unavailable = 503;
  if (made) return {};
  if (made.error().code != k_unavailable)
    return base::fail(base::ErrorCode::internal, made.error().message);
  spdlog::error("what always exists is not all there: {}", made.error().message);
  return {};
}

}  // namespace

struct ApiServer::Parts {
  explicit Parts(StateDir opened) : directory(std::move(opened)) {}

  base::Result<> open_audit(const std::string& path, const AuditLog::Limits& limits);
  base::Result<> open_front_proxy(const Options::Proxy& options);
  void connect();
  void renew_certificates(const std::string& url);
  void renew_front_proxy();

  StateDir directory;
  std::string address;
  base::SystemClock clock;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<TokenFile> tokens;
  std::unique_ptr<FrontProxy> front_proxy;
  std::string front_proxy_file;
  Documents documents;
  Metrics metrics;
  AllowAll authorizer;
  ParsingRoom room;
  std::unique_ptr<AuditSink> audit = std::make_unique<NoAudit>();
  std::atomic<bool> ready = false;
  std::unique_ptr<Writes> writes;
  std::unique_ptr<NamespaceSweeper> sweeper;
  std::unique_ptr<Router> router;
  std::unique_ptr<Server> server;
  std::unique_ptr<PkiUpkeep> upkeep;
};

base::Result<> ApiServer::Parts::open_audit(const std::string& path,
                                            const AuditLog::Limits& limits) {
  if (path.empty()) return {};
  MARGAY_TRY(auto log, AuditLog::open(path, limits));
  log->on_lost([this] { metrics.count_lost_audit_event(); });
  audit = std::move(log);
  return {};
}

base::Result<> ApiServer::Parts::open_front_proxy(const Options::Proxy& options) {
  if (options.authority.empty()) return {};
  MARGAY_TRY(auto authority, base::read_file(options.authority));
  MARGAY_TRY(front_proxy, FrontProxy::create({.authority = std::move(authority),
                                              .allowed_names = options.allowed_names}));
  front_proxy_file = options.authority;
  return {};
}

// Whoever rotates the authority replaces the file. One that cannot be read, perhaps half written,
// changes nothing.
void ApiServer::Parts::renew_front_proxy() {
  if (!front_proxy) return;
  const auto authority = base::read_file(front_proxy_file);
  const auto set =
      authority ? front_proxy->set_authority(*authority) : std::unexpected(authority.error());
  if (!set) spdlog::error("the front proxy's authority stays: {}", set.error().message);
}

void ApiServer::Parts::connect() {
  writes = std::make_unique<Writes>(*store, clock, room);
  sweeper = std::make_unique<NamespaceSweeper>(*store, *writes, room);
  router =
      std::make_unique<Router>(Router::Services{.store = *store,
                                                .writes = *writes,
                                                .clock = clock,
                                                .documents = documents,
                                                .authorizer = authorizer,
                                                .audit = *audit,
                                                .room = room,
                                                .is_ready = [this] { return ready.load(); },
                                                .metrics_text = [this] { return metrics.text(); }});
  router->set_aside().on_new([this](const store::Key& key) { metrics.count_unreadable(key); });
}

// A failure is told and tried again: there are weeks left.
void ApiServer::Parts::renew_certificates(const std::string& url) {
  const auto renewed = directory.renew_pki(address, clock.wall_time());
  if (!renewed) return spdlog::error("renew certificates: {}", renewed.error().message);
  if (const auto written = directory.ensure_kubeconfigs(url); !written)
    spdlog::error("renew kubeconfigs: {}", written.error().message);
  if (!*renewed) return;
  const auto set = server->set_certificates(directory.server(), directory.authority_certificate());
  if (!set) return spdlog::error("renew certificates: {}", set.error().message);
  spdlog::info("new connections are served with the certificate of pki/apiserver.crt as it is now");
}

base::Result<std::unique_ptr<ApiServer>> ApiServer::start(Options options) {
  MARGAY_TRY(auto directory, StateDir::open(options.data_dir));
  auto parts = std::make_unique<Parts>(std::move(directory));
  MARGAY_CHECK(parts->directory.ensure_pki(options.address, parts->clock.wall_time()));
  MARGAY_CHECK(parts->directory.ensure_tokens());
  MARGAY_TRY(parts->tokens, TokenFile::open(parts->directory.tokens_file()));
  MARGAY_TRY(parts->store, options.open_store(options.data_dir));
  MARGAY_CHECK(parts->open_audit(options.audit_log, options.audit_limits));
  MARGAY_CHECK(parts->open_front_proxy(options.front_proxy));
  parts->connect();
  MARGAY_CHECK(restored(restore_namespaces(*parts->store, *parts->writes)));
  MARGAY_CHECK(restored(restore_tiers(*parts->store, *parts->writes)));
  MARGAY_TRY(
      parts->server,
      Server::listen({.address = options.address,
                      .port = options.port,
                      .sockets = std::move(options.sockets),
                      .certificate = parts->directory.server(),
                      .client_authority = parts->directory.authority_certificate(),
                      .limits = options.limits.fitting(base::memory_limit(), descriptor_limit())}));
  parts->address = options.address;
  std::unique_ptr<ApiServer> out(new ApiServer(std::move(parts)));
  MARGAY_CHECK(out->parts_->directory.ensure_kubeconfigs(out->url()));
  out->parts_->server->start({.router = *out->parts_->router,
                              .tokens = *out->parts_->tokens,
                              .metrics = out->parts_->metrics,
                              .front_proxy = out->parts_->front_proxy.get()});
  out->parts_->ready = true;
  constexpr std::chrono::seconds k_look{5};
  out->parts_->upkeep =
      std::make_unique<PkiUpkeep>(k_look, [parts = out->parts_.get(), url = out->url()] {
        parts->renew_certificates(url);
        parts->renew_front_proxy();
      });
  return out;
}

ApiServer::ApiServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ApiServer::~ApiServer() { stop(std::chrono::milliseconds(0)); }

std::string ApiServer::url() const {
  return fmt::format("https://{}:{}", reachable(parts_->address), parts_->server->port());
}

std::filesystem::path ApiServer::kubeconfig() const { return parts_->directory.kubeconfig_file(); }

void ApiServer::stop(std::chrono::milliseconds patience) {
  parts_->ready = false;
  parts_->upkeep.reset();
  parts_->server->stop(patience);
}

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("\"{}\" is not an address to listen on: {}", text, why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("must be ADDR:PORT");
  const auto port_text = text.substr(colon + 1);
  ListenAddress out;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), out.port);
  if (error != std::errc() || end != port_text.data() + port_text.size())
    return bad("the port must be a number up to 65535");
  auto address = text.substr(0, colon);
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  if (address.empty()) {
    out.address = "0.0.0.0";
    return out;
  }
  const auto parsed = base::IPAddress::parse(address);
  if (!parsed) return bad("ADDR must be an IP address");
  if (parsed->is_v6() != bracketed) return bad("an IPv6 address is written in brackets");
  out.address = parsed->to_string();
  return out;
}

}  // namespace margay::apiserver
