#include "apiserver/list_options.h"

#include <fmt/format.h>

#include <charconv>

#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

std::string_view get(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view{} : std::string_view{found->second};
}

// As Go reads booleans in queries: "?watch" and "?watch=1" are true.
bool flag(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  if (found == query.end()) return false;
  return found->second != "0" && found->second != "false";
}

Answer<std::optional<uint64_t>> number(const Query& query, std::string_view name) {
  const auto text = get(query, name);
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return refuse(bad_request(fmt::format("{} must be a whole number, not \"{}\"", name, text)));
  return value;
}

Answer<> read_selectors(const api::Kind& kind, const Query& query, ListOptions& out) {
  auto labels = LabelSelector::parse(get(query, "labelSelector"));
  if (!labels) return refuse(bad_request(labels.error().message));
  out.filter.labels = std::move(*labels);
  auto fields = FieldSelector::parse(kind, get(query, "fieldSelector"));
  if (!fields) return refuse(bad_request(fields.error().message));
  out.filter.fields = std::move(*fields);
  return {};
}

// Moves what the store can look up from the field selector into the scope.
void narrow(std::string_view field, std::string& scope, ListOptions& out) {
  const auto wanted = out.filter.fields.extract(field);
  if (!wanted) return;
  if (wanted->empty() || (!scope.empty() && scope != *wanted)) out.filter.nothing = true;
  scope = *wanted;
}

Answer<> read_revision(const Query& query, ListOptions& out) {
  MARGAY_TRY(out.revision, parse_revision(get(query, "resourceVersion")));
  const auto match = get(query, "resourceVersionMatch");
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
  out.bookmarks = flag(query, "allowWatchBookmarks");
  out.initial_events = flag(query, "sendInitialEvents");
  MARGAY_TRY(const auto seconds, number(query, "timeoutSeconds"));
  constexpr uint64_t k_longest = 86400;
  if (seconds && *seconds > 0) out.timeout = std::chrono::seconds(std::min(*seconds, k_longest));
  if (!query.contains("sendInitialEvents")) return {};
  if (!out.watch) return refuse(bad_request("sendInitialEvents is forbidden for list"));
  if (get(query, "resourceVersionMatch") != "NotOlderThan")
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

bool asks_to_watch(const Query& query) { return flag(query, "watch"); }

Answer<ListOptions> parse_list_options(const api::Kind& kind, const ResourcePath& path,
                                       const Query& query) {
  ListOptions out;
  out.scope = {.resource = kind.resource(), .ns = path.ns, .name = path.name};
  MARGAY_CHECK(read_selectors(kind, query, out));
  narrow("metadata.name", out.scope.name, out);
  if (kind.namespaced) narrow("metadata.namespace", out.scope.ns, out);
  out.name_prefix = get(query, "namePrefix");
  if (!out.name_prefix.empty() && kind.namespaced && out.scope.ns.empty())
    return refuse(bad_request("namePrefix needs a namespace"));
  MARGAY_TRY(const auto limit, number(query, "limit"));
  out.limit = limit.value_or(0);
  out.resume = get(query, "continue");
  MARGAY_CHECK(read_watch(query, out));
  MARGAY_CHECK(read_revision(query, out));
  return out;
}

}  // namespace margay::apiserver
