#pragma once

// One watch on an API server: a thread that reads the stream of events, and opens the stream anew
// from where it was when the server ends it, as servers do every few minutes.

#include <boost/json/object.hpp>
#include <mutex>
#include <thread>

#include "api/kind.h"
#include "store/kubernetes/api_client.h"
#include "store/store.h"

namespace margay::store::kubernetes {

// One line of a watch.
struct WatchLine {
  std::optional<Event> event;  // unset: a bookmark
  Revision revision = 0;
};
// An ERROR line is an Error.
base::Result<WatchLine> parse_watch_line(const api::Kind& kind, std::string_view line);

class WatchStream final : public Watch {
 public:
  // Opens the first stream before it returns, so that refusals are the caller's.
  static base::Result<std::unique_ptr<Watch>> start(ApiClient& client, const api::Kind& kind,
                                                    const Scope& scope, Revision from,
                                                    std::chrono::seconds timeout, Watcher& watcher);
  ~WatchStream() override;

 private:
  WatchStream(ApiClient& client, const api::Kind& kind, Scope scope, Revision from,
              std::chrono::seconds timeout, Watcher& watcher)
      : client_(client),
        kind_(kind),
        scope_(std::move(scope)),
        timeout_(timeout),
        watcher_(watcher),
        position_(from) {}

  base::Result<> open();
  void run();
  base::Result<> follow();
  base::Result<> deliver(std::string& received);

  ApiClient& client_;
  const api::Kind& kind_;
  const Scope scope_;
  const std::chrono::seconds timeout_;
  Watcher& watcher_;
  Revision position_;

  std::mutex mutex_;  // guards stream_ as a pointer, and stopping_
  std::unique_ptr<HttpsStream> stream_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace margay::store::kubernetes
