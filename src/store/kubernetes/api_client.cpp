#include "store/kubernetes/api_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/backoff.h"
#include "store/kubernetes/status.h"

namespace margay::store::kubernetes {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Whether to ask again, and after how long. An `unavailable` call has not been acted on; an answer
// with Retry-After says the same (RFC 9110, 10.2.3, as API servers use it).
std::optional<std::chrono::milliseconds> wait_before_retry(const Result<HttpsResponse>& answer,
                                                           base::Backoff& backoff) {
  if (!answer) {
    if (answer.error().code != ErrorCode::unavailable) return std::nullopt;
    return backoff.next();
  }
  const bool refused = answer->status == 429 || answer->status == 503;
  if (!refused || !answer->retry_after) return std::nullopt;
  return std::max<std::chrono::milliseconds>(*answer->retry_after, backoff.next());
}

}  // namespace

Result<std::unique_ptr<ApiClient>> ApiClient::create(const ClusterAccess& access,
                                                     std::chrono::milliseconds retry_for) {
  MARGAY_TRY(auto https, HttpsClient::create({
                             .server = access.server,
                             .ca_pem = access.ca_pem,
                             .certificate_pem = access.certificate_pem,
                             .key_pem = access.key_pem,
                             .server_name = access.server_name,
                             .insecure_skip_verify = access.insecure_skip_verify,
                         }));
  return std::unique_ptr<ApiClient>(new ApiClient(access, retry_for, std::move(https)));
}

// A file's token is read for each request: it costs nothing beside one, and a token that was
// renewed (or revoked and replaced) is used at once.
Result<> ApiClient::authorize(HttpsRequest& request) const {
  std::string token = token_;
  if (!token_file_.empty()) {
    std::ifstream file(token_file_);
    if (!(file >> token))
      return fail(ErrorCode::unauthorized, "the token file " + token_file_ + " can't be read");
  }
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  return {};
}

Result<HttpsResponse> ApiClient::call(HttpsRequest request) {
  MARGAY_CHECK(authorize(request));
  const auto deadline = std::chrono::steady_clock::now() + retry_for_;
  base::Backoff backoff(
      {.initial = std::chrono::milliseconds(50), .max = std::chrono::milliseconds(1'000)});
  for (;;) {
    auto answer = https_->send(request);
    const auto wait = wait_before_retry(answer, backoff);
    if (!wait || std::chrono::steady_clock::now() + *wait > deadline) return answer;
    std::this_thread::sleep_for(*wait);
  }
}

Result<std::string> ApiClient::fetch(HttpsRequest request) {
  MARGAY_TRY(auto answer, call(std::move(request)));
  if (!answer.ok()) return fail(to_error(answer));
  return std::move(answer.body);
}

Result<> ApiClient::open(HttpsStream& stream, HttpsRequest request) {
  MARGAY_CHECK(authorize(request));
  MARGAY_TRY(const auto answer, stream.open(request));
  if (!answer.ok()) return fail(to_error(answer));
  return {};
}

}  // namespace margay::store::kubernetes
