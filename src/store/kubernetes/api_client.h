#pragma once

// HTTPS to one API server as who we are: puts the credentials on each request, and sends a request
// again where that is safe.

#include <memory>

#include "store/kubernetes/https_client.h"
#include "store/kubernetes/kubeconfig.h"

namespace margay::store::kubernetes {

class ApiClient {
 public:
  static base::Result<std::unique_ptr<ApiClient>> create(const ClusterAccess& access,
                                                         std::chrono::milliseconds retry_for);

  // Any answer. While the server can't be reached, or asks to be left alone for a while
  // (Retry-After), tries again until `retry_for` has passed.
  base::Result<HttpsResponse> call(HttpsRequest request);
  // The answer's body when it is a success; any other as an Error.
  base::Result<std::string> fetch(HttpsRequest request);
  // No second try: who watches has a back-off of its own.
  base::Result<> open(HttpsStream& stream, HttpsRequest request);
  std::unique_ptr<HttpsStream> stream() { return https_->stream(); }

 private:
  ApiClient(const ClusterAccess& access, std::chrono::milliseconds retry_for,
            std::unique_ptr<HttpsClient> https)
      : token_(access.token),
        token_file_(access.token_file),
        retry_for_(retry_for),
        https_(std::move(https)) {}
  base::Result<> authorize(HttpsRequest& request) const;

  const std::string token_;
  const std::string token_file_;
  const std::chrono::milliseconds retry_for_;
  std::unique_ptr<HttpsClient> https_;
};

}  // namespace margay::store::kubernetes
