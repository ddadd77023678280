#include "apiserver/list_options.h"

#include <fmt/format.h>

#include <charconv>

#include "apiserver/object.h"
#include "apiserver/query.h"

namespace margay::apiserver {
namespace {

Answer<> read_selectors(const api::Kind& kind, const Query& query, ListOptions& out) {
  auto labels = LabelSelector::parse(text_in(query, "labelSelector"));
  if (!labels) return refuse(bad_request(labels.error().message));
  out.filter.labels = std::move(*labels);
  auto fields = FieldSelector::parse(kind, text_in(query, "fieldSelector"));
  if (!fields) return refuse(bad_request(fields.error().message));
  out.filter.fields = std::move(*fields);
  return {};
}

// A watch keeps its selectors, and asks them at each event.
Answer<> bound_selectors(const Query& query, const ListOptions& options) {
  constexpr size_t k_most_terms = 256;
  constexpr size_t k_most_bytes = 16 << 10;
  const auto& [labels, fields, nothing] = options.filter;
  const size_t terms = labels.terms() + fields.requirements().size();
  const size_t bytes =
      text_in(query, "labelSelector").size() + text_in(query, "fieldSelector").size();
  if (terms <= k_most_terms && bytes <= k_most_bytes) return {};
  return refuse(bad_request(
      fmt::format("the selectors of a watch have at most {} requirements and values, in {} bytes",
                  k_most_terms, k_most_bytes)));
}

// Moves what the store can look up from the field selector into the scope.
void narrow(std::string_view field, std::string& scope, ListOptions& out) {
  const auto wanted = out.filter.fields.extract(field);
  if (!wanted) return;
  if (wanted->empty() || (!scope.empty() && scope != *wanted)) out.filter.nothing = true;
  scope = *wanted;
}

Answer<> read_revision(const Query& query, ListOptions& out) {
  MARGAY_TRY(out.revision, parse_revision(text_in(query, "resourceVersion")));
  const auto match = text_in(query, "resourceVersionMatch");
  if (match.empty()) {
    if (out.revision.value_or(0) != 0) out.match = RevisionMatch::not_older_than;
    return {};
  }
  if (!out.revision && !out.initial_events)
    return refuse(
        bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided"));
  if (!out.resume.empty())
    return refuse(bad_request("resourceVersionMatch is forbidden when continue is provided"));
  if (match == "NotOlderThan") {
    out.match = out.revision.value_or(0) == 0 ? RevisionMatch::any : RevisionMatch::not_older_than;
    return {};
  }
  if (match != "Exact")
    return refuse(bad_request(
        fmt::format("resourceVersionMatch must be Exact or NotOlderThan, not \"{}\"", match)));
  if (out.revision == 0)
    return refuse(bad_request("resourceVersionMatch Exact is forbidden for resourceVersion 0"));
  out.match = RevisionMatch::exact;
  return {};
}

Answer<> read_watch(const Query& query, ListOptions& out) {
  out.watch = asks_to_watch(query);
  out.bookmarks = flag_in(query, "allowWatchBookmarks");
  out.initial_events = flag_in(query, "sendInitialEvents");
  MARGAY_TRY(const auto seconds, integer_in(query, "timeoutSeconds", 0));
  constexpr int64_t k_longest = 86400;
  if (seconds && *seconds > 0) out.timeout = std::chrono::seconds(std::min(*seconds, k_longest));
  if (!query.contains("sendInitialEvents")) return {};
  if (!out.watch) return refuse(bad_request("sendInitialEvents is forbidden for list"));
  if (text_in(query, "resourceVersionMatch") != "NotOlderThan")
    return refuse(
        bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  if (out.initial_events && !out.bookmarks)
    return refuse(bad_request("sendInitialEvents requires allowWatchBookmarks"));
  return {};
}

}  // namespace

bool Filter::matches(const boost::json::object& object) const {
  const auto* found = find_at(object, {"metadata", "labels"});
  return !nothing && labels.matches(found != nullptr ? found->if_object() : nullptr) &&
         fields.matches(object);
}

Answer<std::optional<store::Revision>> parse_revision(std::string_view text) {
  if (text.empty()) return std::nullopt;
  store::Revision value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    return refuse(bad_request(fmt::format("resourceVersion: Invalid value: \"{}\"", text)));
  return value;
}

bool asks_to_watch(const Query& query) { return flag_in(query, "watch"); }

Answer<ListOptions> parse_list_options(const api::Kind& kind, const ResourcePath& path,
                                       const Query& query) {
  ListOptions out;
  out.scope = {.resource = kind.resource(), .ns = path.ns, .name = path.name};
  MARGAY_CHECK(read_selectors(kind, query, out));
  narrow("metadata.name", out.scope.name, out);
  if (kind.namespaced) narrow("metadata.namespace", out.scope.ns, out);
  out.name_prefix = text_in(query, "namePrefix");
  MARGAY_TRY(const auto limit, integer_in(query, "limit", 0));
  out.limit = static_cast<uint64_t>(limit.value_or(0));
  out.resume = text_in(query, "continue");
  MARGAY_CHECK(read_watch(query, out));
  if (out.watch) MARGAY_CHECK(bound_selectors(query, out));
  if (out.watch && !out.name_prefix.empty())
    return refuse(bad_request("namePrefix is forbidden for watch"));
  MARGAY_CHECK(read_revision(query, out));
  return out;
}

}  // namespace margay::apiserver
