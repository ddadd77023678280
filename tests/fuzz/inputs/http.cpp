#include <stdlib.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>
#include <filesystem>
#include <memory>

#include "apiserver/list_stream.h"
#include "apiserver/namespace_sweeper.h"
#include "apiserver/request_head.h"
#include "apiserver/router.h"
#include "store/sqlite/sqlite_store.h"
#include "targets.h"

namespace margay::fuzz {
namespace {

namespace http = boost::beast::http;
using namespace apiserver;

constexpr size_t k_most_objects = 200;

// A server without sockets. It is made anew now and then: what inputs have written must not grow
// for ever.
class Server {
 public:
  Server() {
    auto name = (std::filesystem::temp_directory_path() / "margay-fuzz-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    auto opened = store::sqlite::SqliteStore::open(
        {.path = folder_ / "store.db", .durability = store::sqlite::Durability::process_crash});
    require(opened.has_value(), "the store opens");
    store_ = std::move(*opened);
    writes_ = std::make_unique<Writes>(*store_, clock_, room_);
    sweeper_ = std::make_unique<NamespaceSweeper>(*store_, *writes_, room_);
    require(restore_namespaces(*store_, *writes_).has_value(), "the namespaces are there");
    router_ = std::make_unique<Router>(Router::Services{.store = *store_,
                                                        .writes = *writes_,
                                                        .clock = clock_,
                                                        .documents = documents(),
                                                        .authorizer = authorizer_,
                                                        .audit = audit_,
                                                        .room = room_,
                                                        .is_ready = [] { return true; },
                                                        .metrics_text = [] { return ""; }});
  }
  ~Server() {
    router_.reset();
    sweeper_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void handle(const Request& request) {
    ++handled_;
    RequestLabels labels;
    Response response = router_->handle(request, labels);
    while (response.unfinished) response = router_->go_on(request, std::move(response.unfinished));
    require(response.code >= 200 && response.code < 600, "an answer has a status");
    require(response.code != 500, "no request is answered by an internal error");
    while (response.list) {
      const auto piece = response.list->take();
      if (piece.next == Piece::Next::read) response.list->read();
      if (piece.next == Piece::Next::end || piece.next == Piece::Next::cut) break;
    }
  }
  bool is_worn() const { return handled_ >= k_most_objects; }

 private:
  static const Documents& documents() {
    static const Documents documents;
    return documents;
  }

  std::filesystem::path folder_;
  base::FakeClock clock_;
  ParsingRoom room_;
  AllowAll authorizer_;
  NoAudit audit_;
  std::unique_ptr<store::sqlite::SqliteStore> store_;
  std::unique_ptr<Writes> writes_;
  std::unique_ptr<NamespaceSweeper> sweeper_;
  std::unique_ptr<Router> router_;
  size_t handled_ = 0;
};

}  // namespace

void http(std::string_view bytes) {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(1 << 20);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) return;
  if (!parser.is_header_done()) return;
  const auto& message = parser.get();
  static std::unique_ptr<Server> server;
  if (!server || server->is_worn()) server = std::make_unique<Server>();
  server->handle({.method = method_of(message.method()),
                  .target = std::string(message.target()),
                  .accept = std::string(message[http::field::accept]),
                  .content_type = std::string(message[http::field::content_type]),
                  .body = message.body()});
}

}  // namespace margay::fuzz
