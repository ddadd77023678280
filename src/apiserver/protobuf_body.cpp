#include "apiserver/protobuf_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>
#include <span>

#include "apiserver/base64.h"
#include "base/clock.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_magic("k8s\0", 4);

// ---- the wire format (https://protobuf.dev/programming-guides/encoding/)
// -------------------------

struct WireField {
  uint32_t number = 0;
  uint64_t integer = 0;    // of a varint
  std::string_view bytes;  // of a length-delimited field
  bool is_bytes = false;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  // Nothing when the bytes are cut off or of a wire type that Kubernetes does not use.
  std::optional<WireField> next() {
    const auto tag = varint();
    if (!tag) return std::nullopt;
    WireField field{.number = static_cast<uint32_t>(*tag >> 3)};
    const auto value = varint();
    if (!value) return std::nullopt;
    field.integer = *value;
    constexpr uint64_t k_varint = 0;
    constexpr uint64_t k_length_delimited = 2;
    if ((*tag & 7) == k_varint) return field;
    if ((*tag & 7) != k_length_delimited || *value > rest_.size()) return std::nullopt;
    field.is_bytes = true;
    field.bytes = rest_.substr(0, *value);
    rest_.remove_prefix(*value);
    return field;
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::string_view rest_;
};

// ---- tables
// ----------------------------------------------------------------------------------------

enum class Form {
  text,         // empty: unset
  integer,      // zero: unset
  set_integer,  // zero is a value
  boolean,      // present: set
  flag,         // false: unset
  time,
  int_or_string,
  message,
  text_map,
  bytes_map,  // values become base64
  ignored,    // what the server sets itself
};

struct Member {
  uint32_t number;
  std::string_view name;
  Form form;
  bool repeated = false;
  std::span<const Member> members = {};  // of a message
};

constexpr Member k_owner_reference[] = {
    {1, "kind", Form::text},          {3, "name", Form::text},
    {4, "uid", Form::text},           {5, "apiVersion", Form::text},
    {6, "controller", Form::boolean}, {7, "blockOwnerDeletion", Form::boolean}};

constexpr Member k_object_meta[] = {{1, "name", Form::text},
                                    {2, "generateName", Form::text},
                                    {3, "namespace", Form::text},
                                    {4, "selfLink", Form::ignored},
                                    {5, "uid", Form::text},
                                    {6, "resourceVersion", Form::text},
                                    {7, "generation", Form::integer},
                                    {8, "creationTimestamp", Form::time},
                                    {9, "deletionTimestamp", Form::time},
                                    {10, "deletionGracePeriodSeconds", Form::set_integer},
                                    {11, "labels", Form::text_map},
                                    {12, "annotations", Form::text_map},
                                    {13, "ownerReferences", Form::message, true, k_owner_reference},
                                    {14, "finalizers", Form::text, true},
                                    {17, "managedFields", Form::ignored}};

constexpr Member k_namespace_spec[] = {{1, "finalizers", Form::ignored}};
constexpr Member k_namespace[] = {{1, "metadata", Form::message, false, k_object_meta},
                                  {2, "spec", Form::message, false, k_namespace_spec},
                                  {3, "status", Form::ignored}};

constexpr Member k_config_map[] = {{1, "metadata", Form::message, false, k_object_meta},
                                   {2, "data", Form::text_map},
                                   {3, "binaryData", Form::bytes_map},
                                   {4, "immutable", Form::boolean}};

constexpr Member k_secret[] = {{1, "metadata", Form::message, false, k_object_meta},
                               {2, "data", Form::bytes_map},
                               {3, "type", Form::text},
                               {4, "stringData", Form::text_map},
                               {5, "immutable", Form::boolean}};

constexpr Member k_object_reference[] = {
    {1, "kind", Form::text},     {2, "namespace", Form::text},  {3, "name", Form::text},
    {4, "uid", Form::text},      {5, "apiVersion", Form::text}, {6, "resourceVersion", Form::text},
    {7, "fieldPath", Form::text}};
constexpr Member k_local_reference[] = {{1, "name", Form::text}};
constexpr Member k_service_account[] = {
    {1, "metadata", Form::message, false, k_object_meta},
    {2, "secrets", Form::message, true, k_object_reference},
    {3, "imagePullSecrets", Form::message, true, k_local_reference},
    {4, "automountServiceAccountToken", Form::boolean}};

constexpr Member k_service_port[] = {
    {1, "name", Form::text},        {2, "protocol", Form::text},
    {3, "port", Form::integer},     {4, "targetPort", Form::int_or_string},
    {5, "nodePort", Form::integer}, {6, "appProtocol", Form::text}};
constexpr Member k_service_spec[] = {{1, "ports", Form::message, true, k_service_port},
                                     {2, "selector", Form::text_map},
                                     {3, "clusterIP", Form::text},
                                     {4, "type", Form::text},
                                     {5, "externalIPs", Form::text, true},
                                     {7, "sessionAffinity", Form::text},
                                     {8, "loadBalancerIP", Form::text},
                                     {9, "loadBalancerSourceRanges", Form::text, true},
                                     {10, "externalName", Form::text},
                                     {11, "externalTrafficPolicy", Form::text},
                                     {12, "healthCheckNodePort", Form::integer},
                                     {13, "publishNotReadyAddresses", Form::flag},
                                     {17, "ipFamilyPolicy", Form::text},
                                     {18, "clusterIPs", Form::text, true},
                                     {19, "ipFamilies", Form::text, true},
                                     {20, "allocateLoadBalancerNodePorts", Form::boolean},
                                     {21, "loadBalancerClass", Form::text},
                                     {22, "internalTrafficPolicy", Form::text},
                                     {23, "trafficDistribution", Form::text}};
constexpr Member k_service[] = {{1, "metadata", Form::message, false, k_object_meta},
                                {2, "spec", Form::message, false, k_service_spec},
                                {3, "status", Form::ignored}};

constexpr Member k_preconditions[] = {{1, "uid", Form::text}, {2, "resourceVersion", Form::text}};
constexpr Member k_delete_options[] = {{1, "gracePeriodSeconds", Form::set_integer},
                                       {2, "preconditions", Form::message, false, k_preconditions},
                                       {4, "propagationPolicy", Form::text},
                                       {5, "dryRun", Form::text, true}};

struct Table {
  std::string_view kind;
  std::span<const Member> members;
};
constexpr Table k_tables[] = {{"Namespace", k_namespace}, {"ConfigMap", k_config_map},
                              {"Secret", k_secret},       {"ServiceAccount", k_service_account},
                              {"Service", k_service},     {"DeleteOptions", k_delete_options}};

// ---- reading
// ---------------------------------------------------------------------------------------

std::unexpected<Status> malformed(std::string_view why) {
  return refuse(bad_request(fmt::format("the body is not valid Kubernetes protobuf: {}", why)));
}

Answer<json::object> read_message(std::string_view bytes, std::span<const Member> members);

Answer<json::value> read_time(std::string_view bytes) {
  WireReader reader(bytes);
  int64_t seconds = 0;
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return malformed("a time is cut off");
    if (field->number == 1) seconds = static_cast<int64_t>(field->integer);
  }
  // Go's zero time, or none at all.
  if (bytes.empty() || seconds < 0) return json::value();
  constexpr int64_t k_latest = 253'402'300'799;  // the end of the year 9999
  return json::value(json::string(
      base::to_rfc3339(base::Clock::Wall(std::chrono::seconds(std::min(seconds, k_latest))))));
}

Answer<json::value> read_int_or_string(std::string_view bytes) {
  WireReader reader(bytes);
  bool is_text = false;
  int64_t number = 0;
  std::string_view text;
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return malformed("a number or name is cut off");
    if (field->number == 1) is_text = field->integer == 1;
    if (field->number == 2) number = static_cast<int32_t>(field->integer);
    if (field->number == 3) text = field->bytes;
  }
  if (is_text) return json::value(json::string(text));
  return number == 0 ? json::value() : json::value(number);
}

// Adds one entry of a map, {key = 1, value = 2}.
Answer<> read_entry(std::string_view bytes, bool encode, json::object& out) {
  WireReader reader(bytes);
  std::string_view key;
  std::string_view value;
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field || !field->is_bytes) return malformed("an entry of a map is cut off");
    (field->number == 1 ? key : value) = field->bytes;
  }
  out[key] = encode ? base64(value) : std::string(value);
  return {};
}

Answer<json::value> read_value(const Member& member, const WireField& field) {
  switch (member.form) {
    case Form::text:
      return field.bytes.empty() ? json::value() : json::value(json::string(field.bytes));
    case Form::integer:
      return field.integer == 0 ? json::value() : json::value(static_cast<int64_t>(field.integer));
    case Form::set_integer:
      return json::value(static_cast<int64_t>(field.integer));
    case Form::boolean:
      return json::value(field.integer != 0);
    case Form::flag:
      return field.integer == 0 ? json::value() : json::value(true);
    case Form::time:
      return read_time(field.bytes);
    case Form::int_or_string:
      return read_int_or_string(field.bytes);
    case Form::message: {
      MARGAY_TRY(auto object, read_message(field.bytes, member.members));
      return json::value(std::move(object));
    }
    case Form::text_map:
    case Form::bytes_map:
    case Form::ignored:
      break;
  }
  return json::value();
}

bool is_varint(Form form) {
  return form == Form::integer || form == Form::set_integer || form == Form::boolean ||
         form == Form::flag;
}

json::array& array_at(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_array() ? value.as_array() : value.emplace_array();
}

json::object& object_at(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_object() ? value.as_object() : value.emplace_object();
}

Answer<> read_member(const Member& member, const WireField& field, json::object& out) {
  if (member.form == Form::ignored) return {};
  if (field.is_bytes == is_varint(member.form))
    return malformed(fmt::format("{} has the wrong wire type", member.name));
  if (member.form == Form::text_map || member.form == Form::bytes_map)
    return read_entry(field.bytes, member.form == Form::bytes_map, object_at(out, member.name));
  MARGAY_TRY(auto value, read_value(member, field));
  if (value.is_null()) return {};
  if (member.repeated)
    array_at(out, member.name).push_back(std::move(value));
  else
    out[member.name] = std::move(value);
  return {};
}

Answer<json::object> read_message(std::string_view bytes, std::span<const Member> members) {
  WireReader reader(bytes);
  json::object out;
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return malformed("it is cut off");
    const auto member = std::ranges::find(members, field->number, &Member::number);
    if (member == members.end())
      return malformed(fmt::format("field {} is not known here; send JSON instead", field->number));
    MARGAY_CHECK(read_member(*member, *field, out));
  }
  return out;
}

// The envelope: runtime.Unknown{typeMeta = 1: {apiVersion = 1, kind = 2}, raw = 2}.
struct Envelope {
  std::string_view api_version;
  std::string_view kind;
  std::string_view raw;
};

std::optional<Envelope> open_envelope(std::string_view bytes) {
  Envelope out;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return std::nullopt;
    if (field->number == 2) out.raw = field->bytes;
    if (field->number != 1) continue;
    for (WireReader type(field->bytes); !type.at_end();) {
      const auto part = type.next();
      if (!part) return std::nullopt;
      (part->number == 1 ? out.api_version : out.kind) = part->bytes;
    }
  }
  return out;
}

}  // namespace

Answer<json::object> parse_protobuf(std::string_view bytes) {
  if (!bytes.starts_with(k_magic)) return malformed("it does not begin with \"k8s\\0\"");
  const auto envelope = open_envelope(bytes.substr(k_magic.size()));
  if (!envelope) return malformed("its envelope is cut off");
  const auto table = std::ranges::find(k_tables, envelope->kind, &Table::kind);
  if (table == std::end(k_tables))
    return refuse(unsupported_media_type(fmt::format("{} of a {}", k_protobuf_body, envelope->kind),
                                         "application/json, application/yaml"));
  MARGAY_TRY(auto object, read_message(envelope->raw, table->members));
  object["apiVersion"] = envelope->api_version;
  object["kind"] = envelope->kind;
  return object;
}

}  // namespace margay::apiserver
