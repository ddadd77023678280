#include "store/kubernetes/kubernetes_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "api/json_path.h"
#include "store/kubernetes/api_client.h"
#include "store/kubernetes/object.h"
#include "store/kubernetes/watch_stream.h"

namespace margay::store::kubernetes {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

// Tries of a removal that expects nothing, against writers that change the object meanwhile.
constexpr int k_removal_tries = 5;

HttpsRequest request(std::string method, std::string target, std::string body,
                     std::string_view content_type, std::chrono::milliseconds timeout) {
  HttpsRequest message{.method = std::move(method),
                       .target = std::move(target),
                       .headers = {{"Accept", "application/json"}},
                       .body = std::move(body),
                       .timeout = timeout};
  if (!message.body.empty())
    message.headers.emplace_back("Content-Type", std::string(content_type));
  return message;
}

std::string_view content_type(PatchType type) {
  switch (type) {
    case PatchType::merge:
      return "application/merge-patch+json";
    case PatchType::json:
      return "application/json-patch+json";
    case PatchType::strategic:
      return "application/strategic-merge-patch+json";
    case PatchType::apply:
      return "application/apply-patch+yaml";
  }
  return "application/merge-patch+json";
}

std::string list_target(const api::Kind& kind, const Scope& scope, const ListOptions& options) {
  std::string query;
  const auto add = [&query](std::string_view name, const std::string& value) {
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, value);
  };
  if (options.limit != 0) add("limit", std::to_string(options.limit));
  if (!options.resume.empty()) add("continue", escape(options.resume));
  // Our server's own: others do not know it, and send everything.
  if (!options.name_prefix.empty()) add("namePrefix", escape(options.name_prefix));
  if (!scope.name.empty()) add("fieldSelector", escape("metadata.name=" + scope.name));
  return collection_path(kind, scope.ns) + query;
}

Result<List> parse_list(const api::Kind& kind, std::string_view body) {
  MARGAY_TRY(auto object, parse_answer(body));
  List list;
  MARGAY_TRY(list.revision, revision_of(object));
  list.resume = api::text_at(object, {"metadata", "continue"});
  if (const auto remaining = api::integer_at(object, {"metadata", "remainingItemCount"}))
    list.remaining = static_cast<size_t>(*remaining);
  auto* items = object.if_contains("items");
  if (items == nullptr || items->is_null()) return list;
  if (!items->is_array()) return fail(ErrorCode::internal, "the server's list has no items");
  for (auto& item : items->get_array()) {
    if (!item.is_object()) return fail(ErrorCode::internal, "the server's list has a bad item");
    MARGAY_TRY(auto entry, to_entry(kind, std::move(item.get_object())));
    list.entries.push_back(std::move(entry));
  }
  return list;
}

std::string delete_options(Revision expected) {
  return json::serialize(
      json::object{{"apiVersion", "v1"},
                   {"kind", "DeleteOptions"},
                   {"preconditions", {{"resourceVersion", std::to_string(expected)}}}});
}

}  // namespace

Result<std::unique_ptr<KubernetesStore>> KubernetesStore::create(const Options& options) {
  MARGAY_TRY(auto client, ApiClient::create(options.access, options.retry_for));
  return std::unique_ptr<KubernetesStore>(new KubernetesStore(options, std::move(client)));
}

KubernetesStore::KubernetesStore(const Options& options, std::unique_ptr<ApiClient> client)
    : options_(options), client_(std::move(client)) {}
KubernetesStore::~KubernetesStore() = default;

Result<Entry> KubernetesStore::get(const Key& key) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(auto path, object_path(*kind, key));
  return fetch_entry("GET", key, std::move(path), {});
}

Result<List> KubernetesStore::list_page(const Scope& scope, const ListOptions& options) {
  MARGAY_TRY(const auto* kind, find_kind(scope.resource));
  MARGAY_TRY(const auto body, client_->fetch(request("GET", list_target(*kind, scope, options), {},
                                                     {}, options_.timeout)));
  MARGAY_TRY(auto list, parse_list(*kind, body));
  if (options.name_prefix.empty()) return list;
  std::erase_if(list.entries, [&](const Entry& entry) {
    return !entry.key.name.starts_with(options.name_prefix);
  });
  list.remaining.reset();
  return list;
}

Result<List> KubernetesStore::list(const Scope& scope, const ListOptions& options) {
  if (options.limit != 0 || !options.resume.empty()) return list_page(scope, options);

  ListOptions paged = options;
  paged.limit = options_.page_size;
  MARGAY_TRY(auto list, list_page(scope, paged));
  while (!list.resume.empty()) {
    paged.resume = list.resume;
    auto page = list_page(scope, paged);
    // The snapshot expired on the way: take the list in one piece.
    if (!page && page.error().code == ErrorCode::too_old) return list_page(scope, options);
    if (!page) return page;
    std::ranges::move(page->entries, std::back_inserter(list.entries));
    list.resume = std::move(page->resume);
  }
  list.remaining.reset();
  return list;
}

// Any request that is answered with the object.
Result<Entry> KubernetesStore::fetch_entry(std::string method, const Key& key, std::string target,
                                           std::string body, std::string_view type) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(const auto answer, client_->fetch(request(std::move(method), std::move(target),
                                                       std::move(body), type, options_.timeout)));
  MARGAY_TRY(auto object, parse_answer(answer));
  return to_entry(*kind, std::move(object));
}

Result<Entry> KubernetesStore::create(const Key& key, std::string value) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(auto body, to_body(*kind, key, value, std::nullopt));
  return fetch_entry("POST", key, collection_path(*kind, key.ns), std::move(body));
}

Result<Entry> KubernetesStore::update(const Key& key, std::string value,
                                      std::optional<Revision> expected) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(auto path, object_path(*kind, key));
  MARGAY_TRY(auto body, to_body(*kind, key, value, expected));
  return fetch_entry("PUT", key, std::move(path), std::move(body));
}

Result<Entry> KubernetesStore::patch_status(const Key& key, const std::string& patch) {
  return this->patch(key, PatchType::merge, patch, "status");
}

Result<Entry> KubernetesStore::update_status(const Key& key, std::string value,
                                             std::optional<Revision> expected) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(const auto path, object_path(*kind, key));
  MARGAY_TRY(auto body, to_body(*kind, key, value, expected));
  return fetch_entry("PUT", key, path + "/status", std::move(body));
}

Result<Entry> KubernetesStore::patch(const Key& key, PatchType type, std::string patch,
                                     std::string_view subresource) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(auto path, object_path(*kind, key));
  if (!subresource.empty()) path += "/" + escape(subresource);
  if (type == PatchType::apply) path += "?fieldManager=margay&force=true";
  return fetch_entry("PATCH", key, std::move(path), std::move(patch), content_type(type));
}

// The server need not answer with the object, so it is read first; the precondition makes what is
// removed be what was read.
Result<Entry> KubernetesStore::remove(const Key& key, std::optional<Revision> expected) {
  MARGAY_TRY(const auto* kind, find_kind(key.resource));
  MARGAY_TRY(const auto path, object_path(*kind, key));
  for (int tries = 1;; ++tries) {
    MARGAY_TRY(auto last, get(key));
    auto answer =
        client_->fetch(request("DELETE", path, delete_options(expected.value_or(last.revision)),
                               "application/json", options_.timeout));
    const bool raced = !answer && answer.error().code == ErrorCode::conflict && !expected;
    if (raced && tries < k_removal_tries) continue;
    if (!answer) return fail(std::move(answer).error());
    MARGAY_TRY(auto object, parse_answer(*answer));
    if (object["kind"] == "Status") return last;
    return to_entry(*kind, std::move(object));
  }
}

Result<std::unique_ptr<Watch>> KubernetesStore::watch(const Scope& scope, Revision from,
                                                      Watcher& watcher) {
  MARGAY_TRY(const auto* kind, find_kind(scope.resource));
  // To Kubernetes 0 means "whatever you have", with made-up events for it.
  if (from <= 0) return fail(ErrorCode::too_old, "a watch starts from the revision of a list");
  return WatchStream::start(*client_, *kind, scope, from, options_.watch_timeout, watcher);
}

Result<std::string> KubernetesStore::call(std::string method, std::string target, std::string body,
                                          std::string content_type) {
  return client_->fetch(request(std::move(method), std::move(target), std::move(body), content_type,
                                options_.timeout));
}

}  // namespace margay::store::kubernetes
