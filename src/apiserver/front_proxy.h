#pragma once

// A proxy that has found out who asks, and says so in headers: how a kube-apiserver passes requests
// on to the servers it aggregates. It is believed because of its certificate, which is of an
// authority that signs for no one else (https://kubernetes.io/docs/tasks/extend-kubernetes/
// configure-aggregation-layer/#kubernetes-apiserver-client-authentication). Without that
// certificate the headers are nothing.

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apiserver/user.h"
#include "base/result.h"

struct ssl_st;
struct x509_st;
struct x509_store_st;

namespace margay::apiserver {

class FrontProxy {
 public:
  struct Options {
    std::string authority;                        // PEM, one certificate or several
    std::vector<std::string> allowed_names = {};  // common names; empty: any
  };
  static base::Result<std::unique_ptr<FrontProxy>> create(const Options& options);

  // Another authority, from now on and for connections that are open too. Any thread.
  base::Result<> set_authority(const std::string& authority);
  // Whether the client of a finished handshake is the proxy. Any thread.
  bool is_proxy(ssl_st* tls) const;
  bool is_proxy(x509_st* certificate) const;

 private:
  using Store = std::shared_ptr<x509_store_st>;
  FrontProxy(Store authority, std::vector<std::string> allowed_names)
      : allowed_names_(std::move(allowed_names)), authority_(std::move(authority)) {}

  static base::Result<Store> read_authority(const std::string& pem);
  Store authority() const;

  const std::vector<std::string> allowed_names_;
  mutable std::mutex mutex_;
  Store authority_;
};

// Whom a proxy's request is for: X-Remote-User, X-Remote-Uid, each X-Remote-Group, and
// X-Remote-Extra-<key> with the key percent-decoded, in lower case. Nothing without a user.
using HeaderField = std::pair<std::string_view, std::string_view>;
std::optional<User> user_of_headers(std::span<const HeaderField> headers);

}  // namespace margay::apiserver
