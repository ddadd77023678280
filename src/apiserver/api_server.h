#pragma once

// The standalone API server, put together: data directory, store, verbs, HTTPS. Which store it is,
// the program decides.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "apiserver/audit.h"
#include "apiserver/server.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::apiserver {

// Opens the store of a server whose data directory is `folder`.
using OpenStore =
    std::function<base::Result<std::unique_ptr<store::Store>>(const std::filesystem::path& folder)>;

class ApiServer {
 public:
  struct Options {
    std::filesystem::path data_dir;
    OpenStore open_store;
    std::string audit_log = {};  // a file; empty: no record is kept
    AuditLog::Limits audit_limits = {};
    struct Proxy {
      std::string authority = {};  // a file; empty: there is no front proxy
      std::vector<std::string> allowed_names = {};
    };
    Proxy front_proxy = {};
    std::string address = "127.0.0.1";
    uint16_t port = 6443;  // 0: any free one
    // Sockets that listen already, instead of one at that address, which then only is what the
    // certificate and the kubeconfigs name.
    std::vector<base::UniqueFd> sockets = {};
    ServerLimits limits = {};
  };
  // Serves when it returns; DIR/kubeconfig is written by then.
  static base::Result<std::unique_ptr<ApiServer>> start(Options options);
  ~ApiServer();

  std::string url() const;
  std::filesystem::path kubeconfig() const;
  void stop(std::chrono::milliseconds patience);

 private:
  struct Parts;
  explicit ApiServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// "127.0.0.1:6443", "[::1]:6443", ":6443" (every address).
struct ListenAddress {
  std::string address;
  uint16_t port = 0;
};
base::Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace margay::apiserver
