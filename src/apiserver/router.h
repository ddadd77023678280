#pragma once

// From a request to its answer: finds what the URL is about, asks whether the user may, calls the
// verb, and leaves a record. Blocks on the store, knows nothing of sockets; safe from any thread.

#include <functional>

#include "apiserver/audit.h"
#include "apiserver/authorizer.h"
#include "apiserver/byte_budget.h"
#include "apiserver/collection_removal.h"
#include "apiserver/documents.h"
#include "apiserver/event_feed.h"
#include "apiserver/http_message.h"
#include "apiserver/list_options.h"
#include "apiserver/parsing_room.h"
#include "apiserver/path.h"
#include "apiserver/set_aside.h"
#include "apiserver/writes.h"
#include "base/clock.h"
#include "store/store.h"

namespace margay::apiserver {

// Whether a path is answered without knowing who asks.
bool is_public(std::string_view target);

// What a request did, as metrics and logs name it: "list", "create"...; the resource may be empty.
struct RequestLabels {
  std::string verb;
  std::string resource;
};

// A request that takes long, between two steps. Its answer leaves the record that all do.
class Unfinished {
 public:
  explicit Unfinished(CollectionRemoval removal) : removal_(std::move(removal)) {}

 private:
  friend class Router;
  CollectionRemoval removal_;
  Attributes attributes_;
  Decision decision_;
  base::Clock::Wall received_;
};

class Router {
 public:
  struct Services {
    store::Store& store;
    Writes& writes;
    const base::Clock& clock;
    const Documents& documents;
    const Authorizer& authorizer;
    AuditSink& audit;
    ParsingRoom& room;
    std::function<bool()> is_ready;
    std::function<std::string()> metrics_text;
  };
  explicit Router(Services services);
  ~Router();

  // Never fails: a refusal is an answer too. Sets `labels`.
  Response handle(const Request& request, RequestLabels& labels) const;
  // The next step of a request that handle() has not finished: its answer, or one that is
  // unfinished again.
  Response go_on(const Request& request, std::shared_ptr<Unfinished> unfinished) const;
  // The answer when it is not gone on with: the server stops.
  Response give_up(const Request& request, const Unfinished& unfinished) const;
  // The answer to a request that is not handled, for this reason: nobody known asks, or there is no
  // room. It leaves a record as others do.
  Response reject(const Request& request, const Status& status, RequestLabels& labels) const;
  SetAside& set_aside() const { return *set_aside_; }

 private:
  struct Call;  // one request to a resource, resolved

  Answer<Response> route(const Request& request, const Target& target, Attributes& attributes,
                         RequestLabels& labels) const;
  Answer<Response> serve_path(const Request& request, const Target& target) const;
  Answer<Response> serve_resource(const Request& request, const Target& target,
                                  const ResourcePath& path, Attributes& attributes,
                                  RequestLabels& labels) const;
  Answer<Response> serve_review(const Request& request, const api::Kind& kind,
                                const ResourcePath& path) const;
  Answer<Response> serve_collection(const Call& call) const;
  Answer<Response> serve_object(const Call& call) const;

  Answer<Response> list(const Call& call) const;
  Answer<Response> list_in(const Representation& representation, const ListOptions& options) const;
  Answer<Response> list_in_protobuf(const Call& call, const ListOptions& options) const;
  Answer<Response> get(const Call& call) const;
  Answer<Response> create(const Call& call) const;
  Answer<Response> update(const Call& call) const;
  Answer<Response> patch(const Call& call) const;
  Answer<Response> remove(const Call& call) const;
  Answer<Response> remove_collection(const Call& call) const;
  Answer<Response> written(const Call& call, const Written& written, int code) const;

  struct Outcome {
    const Request& request;
    const Attributes& attributes;
    const Decision& decision;
    base::Clock::Wall received;
  };
  // Leaves the record, but of what is not finished.
  Response conclude(const Outcome& outcome, Answer<Response> answer) const;

  Services services_;
  // services_.store, with every form of its objects.
  const std::unique_ptr<store::Store> reads_;
  const std::unique_ptr<store::Store> begun_reads_;
  const std::unique_ptr<EventFeeds> feeds_;
  const std::unique_ptr<SetAside> set_aside_;
  const std::unique_ptr<ByteBudget> telling_;  // what collections were removed, all together
};

}  // namespace margay::apiserver
