#include "apiserver/representation.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/codec.h"
#include "api/table.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_initial_events_end = "k8s.io/initial-events-end";

json::object list_metadata(const Representation::ListMeta& meta) {
  json::object out{{"resourceVersion", std::to_string(meta.revision)}};
  if (!meta.resume.empty()) out["continue"] = meta.resume;
  if (meta.remaining && *meta.remaining > 0) out["remainingItemCount"] = *meta.remaining;
  return out;
}

}  // namespace

Answer<std::string> Representation::object(const store::Entry& entry) const {
  MARGAY_TRY(auto text, object_json(entry, true));
  return finish(std::move(text));
}

Answer<std::string> Representation::list(std::span<const store::Entry> entries,
                                         const ListMeta& meta) const {
  if (media.shape == Shape::table) {
    MARGAY_TRY(const auto object, table(entries, meta, true));
    return finish(json::serialize(object));
  }
  const bool whole = media.shape == Shape::object;
  std::string out = fmt::format(R"({{"kind":"{}List","apiVersion":"{}","metadata":{},"items":[)",
                                whole ? kind->name : "PartialObjectMetadata",
                                whole ? kind->api_version() : "meta.k8s.io/" + media.version,
                                json::serialize(list_metadata(meta)));
  for (const auto& entry : entries) {
    if (out.back() != '[') out += ',';
    MARGAY_TRY(const auto text, object_json(entry, false));
    out += text;
  }
  out += "]}";
  return finish(std::move(out));
}

Answer<std::string> Representation::event(std::string_view type, const store::Entry& entry,
                                          bool with_columns) const {
  MARGAY_TRY(const auto text, object_json(entry, with_columns));
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, text);
}

std::string Representation::bookmark(store::Revision revision, bool initial_events_end) const {
  json::object metadata{{"resourceVersion", std::to_string(revision)}};
  if (initial_events_end) metadata["annotations"] = json::object{{k_initial_events_end, "true"}};
  json::object object;
  if (media.shape == Shape::object)
    object = {{"kind", kind->name}, {"apiVersion", kind->api_version()}};
  else
    object = {{"kind", media.shape == Shape::table ? "Table" : "PartialObjectMetadata"},
              {"apiVersion", "meta.k8s.io/" + media.version}};
  object["metadata"] = std::move(metadata);
  if (media.shape == Shape::table) {
    object["columnDefinitions"] = json::array{};
    object["rows"] = json::array{};
  }
  return fmt::format("{{\"type\":\"BOOKMARK\",\"object\":{}}}\n", json::serialize(object));
}

Answer<std::string> Representation::object_json(const store::Entry& entry,
                                                bool with_columns) const {
  if (media.shape == Shape::object) return to_sent(*kind, entry.value, entry.revision);
  if (media.shape == Shape::table) {
    const ListMeta meta{.revision = entry.revision};
    MARGAY_TRY(const auto object, table({&entry, 1}, meta, with_columns));
    return json::serialize(object);
  }
  MARGAY_TRY(const auto object, parse_stored(entry));
  return json::serialize(partial(object));
}

Answer<json::object> Representation::table(std::span<const store::Entry> entries,
                                           const ListMeta& meta, bool with_columns) const {
  json::array rows;
  rows.reserve(entries.size());
  for (const auto& entry : entries) {
    MARGAY_TRY(auto value, row(entry));
    rows.push_back(std::move(value));
  }
  json::object out{{"kind", "Table"},
                   {"apiVersion", "meta.k8s.io/" + media.version},
                   {"metadata", list_metadata(meta)}};
  out["columnDefinitions"] = with_columns ? api::table_columns(*kind) : json::array{};
  out["rows"] = std::move(rows);
  return out;
}

Answer<json::object> Representation::row(const store::Entry& entry) const {
  MARGAY_TRY(auto object, parse_stored(entry));
  json::object out{{"cells", api::table_cells(*kind, object, clock->wall_time())}};
  if (row_object == RowObject::metadata) out["object"] = partial(object);
  if (row_object == RowObject::object) out["object"] = std::move(object);
  return out;
}

json::object Representation::partial(const json::object& object) const {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/" + media.version},
          {"metadata", metadata_of(object)}};
}

std::string Representation::finish(std::string json_text) const {
  if (media.format == Format::json) return json_text;
  return api::to_yaml(json::parse(json_text));
}

}  // namespace margay::apiserver
