#include "apiserver/object.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "api/codec.h"

namespace margay::apiserver {
namespace {

std::string head_of(const api::Kind& kind) {
  return fmt::format(R"({{"apiVersion":"{}","kind":"{}","metadata":{{)", kind.api_version(),
                     kind.name);
}

bool is_head(std::string_view member) {
  return member == "apiVersion" || member == "kind" || member == "metadata";
}

Status unreadable(const store::Entry& entry, std::string_view why) {
  const auto& key = entry.key;
  return internal(fmt::format("the stored {} {}{}{} cannot be read: {}", key.resource, key.ns,
                              key.ns.empty() ? "" : "/", key.name, why));
}

void append_member(std::string& out, std::string_view name, const json::value& value) {
  if (out.back() != '{') out += ',';
  out += json::serialize(json::string_view(name));
  out += ':';
  out += json::serialize(value);
}

}  // namespace

std::string to_text(const api::Kind& kind, const json::object& object) {
  std::string out = head_of(kind);
  for (const auto& [name, value] : metadata_of(object))
    if (name != "resourceVersion" && name != "managedFields" && name != "selfLink")
      append_member(out, name, value);
  out += '}';
  for (const auto& [name, value] : object)
    if (!is_head(name)) append_member(out, name, value);
  out += '}';
  return out;
}

Answer<std::string> to_stored(const api::Kind& kind, const json::object& object) {
  auto out = to_text(kind, object);
  const bool is_being_deleted = !text_at(object, {"metadata", "deletionTimestamp"}).empty();
  if (out.size() > api::k_max_object_bytes && !is_being_deleted)
    return refuse(too_large(api::k_max_object_bytes));
  if (const auto readable = api::check_readable(out, is_being_deleted); !readable)
    return refuse(bad_request("the object cannot be stored: " + readable.error().message));
  return out;
}

std::string to_sent(const api::Kind& kind, std::string_view stored, store::Revision revision) {
  if (revision == 0) return std::string(stored);
  const auto head = head_of(kind);
  if (!stored.starts_with(head)) {
    // Written by another hand than to_stored(): the slow way gives the same object.
    auto value = api::parse_json(stored);
    if (!value || !value->is_object()) return std::string(stored);
    metadata_of(value->as_object())["resourceVersion"] = std::to_string(revision);
    return json::serialize(*value);
  }
  const auto rest = stored.substr(head.size());
  return fmt::format(R"({}"resourceVersion":"{}"{}{})", head, revision,
                     rest.starts_with('}') ? "" : ",", rest);
}

Answer<> check_stored(const store::Entry& entry) {
  const auto readable = api::check_json(entry.value);
  if (!readable) return refuse(unreadable(entry, readable.error().message));
  // An array or a scalar is JSON too.
  if (!entry.value.starts_with('{')) return refuse(unreadable(entry, "it is not an object"));
  return {};
}

Answer<json::object> parse_stored(const store::Entry& entry) {
  auto value = api::parse_json(entry.value);
  if (!value) return refuse(unreadable(entry, value.error().message));
  if (!value->is_object()) return refuse(unreadable(entry, "it is not an object"));
  auto object = std::move(value->as_object());
  if (entry.revision != 0) metadata_of(object)["resourceVersion"] = std::to_string(entry.revision);
  return object;
}

const json::object& metadata_of(const json::object& object) {
  return api::object_at(object, {"metadata"});
}

json::object& metadata_of(json::object& object) {
  auto& value = object["metadata"];
  return value.is_object() ? value.as_object() : value.emplace_object();
}

void carry_over(std::string_view member, const json::object& from, json::object& to) {
  if (const auto* value = from.if_contains(member))
    to[member] = *value;
  else
    to.erase(member);
}

}  // namespace margay::apiserver
