#include "apiserver/router.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "apiserver/body.h"
#include "apiserver/discovery.h"
#include "apiserver/event_stream.h"
#include "apiserver/list_options.h"
#include "apiserver/list_stream.h"
#include "apiserver/message_table.h"
#include "apiserver/names.h"
#include "apiserver/object.h"
#include "apiserver/path.h"
#include "apiserver/protobuf_body.h"
#include "apiserver/query.h"
#include "apiserver/reads.h"
#include "apiserver/reviews.h"
#include "apiserver/stored_form.h"
#include "base/utf8.h"

namespace margay::apiserver {
namespace {

Response refusal(const Status& status) {
  Response response{.code = status.code, .body = status.to_json()};
  if (status.retry_after_seconds > 0)
    response.headers.emplace_back("Retry-After", std::to_string(status.retry_after_seconds));
  return response;
}

Response to_response(Answer<Response> answer) {
  return answer ? std::move(*answer) : refusal(answer.error());
}

Response plain_text(int code, std::string body) {
  return {.code = code,
          .content_type = "text/plain; charset=utf-8",
          .headers = {{"X-Content-Type-Options", "nosniff"}},
          .body = std::move(body)};
}

Answer<WriteOptions> write_options(const Query& query) {
  WriteOptions options;
  MARGAY_TRY(options.dry_run, dry_run_in(query));
  const auto validation = text_in(query, "fieldValidation");
  if (validation == "Strict")
    options.unknown_fields = api::UnknownFields::refuse;
  else if (validation == "Ignore")
    options.unknown_fields = api::UnknownFields::ignore;
  else if (!validation.empty() && validation != "Warn")
    return refuse(bad_request(fmt::format(
        "fieldValidation must be one of Ignore, Warn, Strict, not \"{}\"", validation)));
  return options;
}

Answer<RowObject> row_object(const Query& query) {
  const auto include = text_in(query, "includeObject");
  if (include.empty() || include == "Metadata") return RowObject::metadata;
  if (include == "None") return RowObject::none;
  if (include == "Object") return RowObject::object;
  return refuse(bad_request(
      fmt::format("includeObject must be one of None, Metadata, Object, not \"{}\"", include)));
}

// A Warning header's text (RFC 7234, 5.5): quoted, and nothing that would break the header.
std::string warning_header(std::string_view text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

// As many as clients take: Kubernetes sends 4 KiB, and Python's client refuses the 101st header.
void add_warnings(const std::vector<std::string>& warnings, Response& response) {
  constexpr size_t k_most_bytes = 4 << 10;
  constexpr size_t k_most = 64;
  size_t bytes = 0;
  for (size_t i = 0; i < warnings.size(); ++i) {
    auto header = warning_header(base::to_utf8(warnings[i]));
    bytes += header.size();
    if (i == k_most || bytes > k_most_bytes) {
      const auto rest = fmt::format("and {} warnings more", warnings.size() - i);
      response.headers.emplace_back("Warning", warning_header(rest));
      return;
    }
    response.headers.emplace_back("Warning", std::move(header));
  }
}

// What kubectl asks pods for that needs a node's kubelet.
bool is_pod_session(const api::Kind& kind, std::string_view subresource) {
  return kind.resource() == "pods" &&
         (subresource == "log" || subresource == "exec" || subresource == "attach" ||
          subresource == "portforward" || subresource == "ephemeralcontainers");
}

// What throws is a bug of the server's, and on the record like every other answer.
Answer<Response> guarded(const auto& work) {
  try {
    return work();
  } catch (const std::exception& bug) {
    spdlog::error("bug: {}", bug.what());
  }
  return refuse(internal("the server has a bug; its log says more"));
}

}  // namespace

struct Router::Call {
  const Request& request;
  const Target& target;
  const ResourcePath& path;
  Attributes& attributes;
  ObjectRef ref;
  Representation representation;
};

bool is_public(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  for (const std::string_view open : {"/healthz", "/livez", "/readyz", "/version"})
    if (path == open) return true;
  return false;
}

Router::Router(Services services)
    : services_(std::move(services)),
      reads_(std::make_unique<StoredFormStore>(services_.store, services_.room,
                                               StoredFormStore::Busy::refuse)),
      begun_reads_(std::make_unique<StoredFormStore>(services_.store, services_.room,
                                                     StoredFormStore::Busy::wait)),
      feeds_(std::make_unique<EventFeeds>(services_.store)),
      set_aside_(std::make_unique<SetAside>()),
      telling_(std::make_unique<ByteBudget>(16 << 20)) {}
Router::~Router() = default;

Response Router::handle(const Request& request, RequestLabels& labels) const {
  const auto received = services_.clock.wall_time();
  const auto target = parse_target(request.target);
  if (!target) return reject(request, target.error(), labels);
  auto attributes = attributes_of(request.method, *target);
  labels.verb = attributes.verb;
  if (is_public(target->path)) return to_response(serve_path(request, *target));

  const auto decision = services_.authorizer.authorize(request.user, attributes);
  auto answer = guarded([&]() -> Answer<Response> {
    if (decision.allowed) return route(request, *target, attributes, labels);
    return refuse(denied(request.user, attributes, decision.reason));
  });
  if (answer && answer->unfinished) {
    answer->unfinished->attributes_ = std::move(attributes);
    answer->unfinished->decision_ = decision;
    answer->unfinished->received_ = received;
    return std::move(*answer);
  }
  return conclude({request, attributes, decision, received}, std::move(answer));
}

Response Router::conclude(const Outcome& outcome, Answer<Response> answer) const {
  AuditEvent event{.id = new_uid(),
                   .request = outcome.request,
                   .attributes = outcome.attributes,
                   .decision = outcome.decision,
                   .code = answer ? answer->code : answer.error().code,
                   .received = outcome.received,
                   .answered = services_.clock.wall_time()};
  if (answer && answer->stream) event.stage = AuditEvent::Stage::response_started;
  if (!answer) {
    event.reason = answer.error().reason;
    event.message = answer.error().message;
  }
  services_.audit.record(event);
  return to_response(std::move(answer));
}

Response Router::go_on(const Request& request, std::shared_ptr<Unfinished> unfinished) const {
  const Outcome outcome{request, unfinished->attributes_, unfinished->decision_,
                        unfinished->received_};
  auto answer = guarded([&]() -> Answer<Response> {
    auto& removal = unfinished->removal_;
    MARGAY_CHECK(removal.step());
    return removal.is_done() ? removal.answer() : Response{.unfinished = std::move(unfinished)};
  });
  if (answer && answer->unfinished) return std::move(*answer);
  return conclude(outcome, std::move(answer));
}

Response Router::give_up(const Request& request, const Unfinished& unfinished) const {
  return conclude({request, unfinished.attributes_, unfinished.decision_, unfinished.received_},
                  refuse(stopping()));
}

Response Router::reject(const Request& request, const Status& status, RequestLabels& labels) const {
  const auto now = services_.clock.wall_time();
  const auto target = parse_target(request.target);
  const auto attributes = attributes_of(request.method, target ? *target : Target{});
  labels.verb = attributes.verb;
  services_.audit.record({.id = new_uid(),
                          .request = request,
                          .attributes = attributes,
                          .code = status.code,
                          .reason = status.reason,
                          .message = status.message,
                          .received = now,
                          .answered = now});
  return refusal(status);
}

Answer<Response> Router::route(const Request& request, const Target& target, Attributes& attributes,
                               RequestLabels& labels) const {
  if (const auto path = parse_resource_path(target.path))
    return serve_resource(request, target, *path, attributes, labels);
  return serve_path(request, target);
}

Answer<Response> Router::serve_path(const Request& request, const Target& target) const {
  if (request.method != Method::get) return refuse(method_not_allowed());
  const auto& path = target.path;
  if (path == "/healthz" || path == "/livez") return plain_text(200, "ok");
  if (path == "/readyz") {
    const bool ready = services_.is_ready();
    return plain_text(ready ? 200 : 503, ready ? "ok" : "not ready");
  }
  if (path == "/version") return Response{.body = version_json()};
  if (path == "/metrics") {
    auto response = plain_text(200, services_.metrics_text());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (auto found = services_.documents.find(path, request.accept)) return std::move(*found);
  if (auto found = discover(path, request.accept)) return std::move(*found);
  return refuse(path_not_found(path));
}

Answer<Response> Router::serve_resource(const Request& request, const Target& target,
                                        const ResourcePath& path, Attributes& attributes,
                                        RequestLabels& labels) const {
  if (const auto* review = find_review(path)) {
    labels.resource = review->resource();
    return serve_review(request, *review, path);
  }
  const auto* kind =
      api::find_resource(path.group.empty() ? path.resource : path.resource + "." + path.group);
  const bool known = kind != nullptr && kind->version == path.version;
  if (!known && request.method == Method::get) return serve_path(request, target);
  if (!known) return refuse(path_not_found(target.path));
  labels.resource = kind->resource();
  if (!kind->namespaced && !path.ns.empty()) return refuse(path_not_found(target.path));
  if (is_pod_session(*kind, path.subresource))
    return refuse(not_implemented(
        fmt::format("pods/{} needs a kubelet, which this server has none of", path.subresource)));
  const bool status = path.subresource == "status" && kind->has_status;
  if (!path.subresource.empty() && !status) return refuse(path_not_found(target.path));

  MARGAY_TRY(const auto media,
             negotiate(request.accept,
                       find_message(*kind) != nullptr ? Protobuf::all : Protobuf::metadata));
  MARGAY_TRY(const auto include, row_object(target.query));
  const Call call{request,
                  target,
                  path,
                  attributes,
                  {.kind = kind, .ns = path.ns, .name = path.name, .status = status},
                  {.kind = kind, .media = media, .row_object = include, .clock = &services_.clock}};
  if (path.name.empty()) return serve_collection(call);
  // An object of a namespaced kind has no place outside of a namespace.
  if (kind->namespaced && path.ns.empty()) return refuse(path_not_found(target.path));
  return serve_object(call);
}

Answer<Response> Router::serve_review(const Request& request, const api::Kind& kind,
                                      const ResourcePath& path) const {
  if (!path.ns.empty() || !path.name.empty()) return refuse(path_not_found(request.target));
  if (request.method != Method::post) return refuse(method_not_allowed());
  MARGAY_TRY(const auto media, negotiate(request.accept, Protobuf::all));
  MARGAY_TRY(auto body, parse_body(request));
  MARGAY_TRY(const auto answer,
             answer_review(kind, std::move(body), request.user, services_.authorizer));
  Response response{.code = 201, .content_type = std::string(media.content_type())};
  if (media.format == Format::protobuf) {
    MARGAY_TRY(response.body, to_protobuf(kind.api_version(), kind.name, answer));
  } else {
    response.body = media.format == Format::yaml ? api::to_yaml(answer) : json::serialize(answer);
  }
  return response;
}

Answer<Response> Router::serve_collection(const Call& call) const {
  switch (call.request.method) {
    case Method::get:
      return list(call);
    case Method::post:
      return create(call);
    case Method::remove:
      return remove_collection(call);
    default:
      return refuse(method_not_allowed());
  }
}

Answer<Response> Router::serve_object(const Call& call) const {
  switch (call.request.method) {
    case Method::get:
      return call.attributes.verb == "watch" ? list(call) : get(call);
    case Method::put:
      return update(call);
    case Method::patch:
      return patch(call);
    case Method::remove:
      if (call.ref.status) return refuse(method_not_allowed());
      return remove(call);
    default:
      return refuse(method_not_allowed());
  }
}

// ---- reading -----------------------------------------------------------------------------------

Answer<Response> Router::list(const Call& call) const {
  MARGAY_TRY(const auto options, parse_list_options(*call.ref.kind, call.path, call.target.query));
  if (options.watch) {
    if (call.representation.media.format == Format::yaml)
      return refuse(not_acceptable("application/json for watches"));
    MARGAY_TRY(auto stream, EventStream::open(*feeds_, *set_aside_, services_.room, options,
                                              call.representation));
    return Response{.content_type = call.representation.stream_content_type(),
                    .stream = std::move(stream)};
  }
  if (call.representation.media.format == Format::protobuf) return list_in_protobuf(call, options);
  return list_in(call.representation, options);
}

Answer<Response> Router::list_in(const Representation& representation,
                                 const ListOptions& options) const {
  MARGAY_TRY(auto stream, ListStream::open({*reads_, *begun_reads_}, *set_aside_, services_.room,
                                           options, representation));
  Response response{.content_type = std::string(representation.media.content_type())};
  if (stream->is_read())
    response.body = stream->whole();
  else
    response.list = std::move(stream);
  return response;
}

// It has to be whole before it can be sent, so the server would hold as much as its clients like to
// ask for. A longer one goes out as JSON, piece by piece, to clients that take that too.
Answer<Response> Router::list_in_protobuf(const Call& call, const ListOptions& options) const {
  constexpr size_t k_most = 4 << 20;  // of the objects' JSON
  auto representation = call.representation;
  MARGAY_TRY(auto stream, ListStream::open({*reads_, *begun_reads_}, *set_aside_, services_.room,
                                           options, representation, k_most));
  if (stream->is_read())
    return Response{.content_type = std::string(representation.media.content_type()),
                    .body = stream->whole()};
  const auto other = negotiate(call.request.accept, Protobuf::none);
  if (!other)
    return refuse(
        not_acceptable("application/json for a list of this length; or read it page by "
                       "page, with limit and continue"));
  representation.media = *other;
  return list_in(representation, options);
}

Answer<Response> Router::get(const Call& call) const {
  MARGAY_CHECK(parse_revision(text_in(call.target.query, "resourceVersion")));
  const auto entry = reads_->get(key_of(call.ref));
  if (!entry) return refuse(from_error(*call.ref.kind, call.ref.name, entry.error()));
  MARGAY_CHECK(check_stored(*entry));
  const std::string_view parsed = call.representation.parses() ? entry->value : std::string_view();
  MARGAY_TRY(const auto place, services_.room.enter(parsed));
  MARGAY_TRY(auto body, call.representation.object(*entry));
  return Response{.content_type = std::string(call.representation.media.content_type()),
                  .body = std::move(body)};
}

// ---- writing -----------------------------------------------------------------------------------

Answer<Response> Router::written(const Call& call, const Written& written, int code) const {
  const auto place =
      services_.room.wait(call.representation.parses() ? written.entry.value : std::string_view());
  MARGAY_TRY(auto body, call.representation.object(written.entry));
  Response response{.code = code,
                    .content_type = std::string(call.representation.media.content_type()),
                    .body = std::move(body)};
  add_warnings(written.warnings, response);
  return response;
}

Answer<Response> Router::create(const Call& call) const {
  if (call.ref.kind->namespaced && call.ref.ns.empty()) return refuse(method_not_allowed());
  MARGAY_TRY(const auto options, write_options(call.target.query));
  MARGAY_TRY(auto object, parse_body(call.request));
  MARGAY_TRY(const auto result, services_.writes.create(call.ref, std::move(object), options));
  call.attributes.name = result.entry.key.name;  // for the record
  return written(call, result, 201);
}

Answer<Response> Router::update(const Call& call) const {
  MARGAY_TRY(const auto options, write_options(call.target.query));
  MARGAY_TRY(const auto object, parse_body(call.request));
  MARGAY_TRY(const auto result, services_.writes.update(call.ref, object, options));
  return written(call, result, 200);
}

Answer<Response> Router::patch(const Call& call) const {
  MARGAY_TRY(const auto options, write_options(call.target.query));
  MARGAY_TRY(const auto type, patch_type(call.request.content_type));
  MARGAY_TRY(const auto patch, parse_patch(call.request.body));
  MARGAY_TRY(const auto result, services_.writes.patch(call.ref, type, patch, options));
  return written(call, result, 200);
}

Answer<Response> Router::remove(const Call& call) const {
  MARGAY_TRY(const auto options, parse_delete_options(call.request, call.target.query));
  MARGAY_TRY(const auto removed, services_.writes.remove(call.ref, options));
  if (removed.gone) {
    const auto place = services_.room.wait(removed.entry.value);
    const auto object = parse_stored(removed.entry);  // what cannot be read can be deleted
    const auto uid = object ? text_at(*object, {"metadata", "uid"}) : std::string_view();
    return Response{.body = deleted_json(*call.ref.kind, call.ref.name, uid)};
  }
  return written(call, {removed.entry, {}}, 200);
}

Answer<Response> Router::remove_collection(const Call& call) const {
  const bool is_of_namespaces = call.ref.kind->resource() == "namespaces";  // none, in Kubernetes
  if (is_of_namespaces || (call.ref.kind->namespaced && call.ref.ns.empty()))
    return refuse(method_not_allowed());
  MARGAY_TRY(auto options, parse_delete_options(call.request, call.target.query));
  MARGAY_TRY(auto selection, parse_list_options(*call.ref.kind, call.path, call.target.query));
  return Response{.unfinished = std::make_shared<Unfinished>(CollectionRemoval(
                      {{*reads_, *begun_reads_}, services_.writes, services_.room, *telling_},
                      {call.ref, std::move(selection), std::move(options), call.representation}))};
}

}  // namespace margay::apiserver
