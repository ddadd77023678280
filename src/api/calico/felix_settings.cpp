#include "api/calico/felix_settings.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <charconv>

#include "api/formats.h"
#include "base/text.h"

namespace margay::api::calico {

namespace {

using Type = Schema::Type;

std::string plain_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::string duration_text(std::string_view text, bool milliseconds) {
  const auto duration = formats::parse_duration(text);
  if (!duration) return std::string(text);
  const double unit = milliseconds ? 1e6 : 1e9;
  return fmt::format("{}", static_cast<double>(duration->count()) / unit);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// {protocol: TCP, net: 10.0.0.0/8, port: 22} -> tcp:10.0.0.0/8:22
std::string failsafe_text(const json::object& port) {
  const auto text = [&](std::string_view name) {
    const json::value* value = port.if_contains(name);
    return value != nullptr ? plain_text(*value) : std::string();
  };
  const std::string protocol = text("protocol").empty() ? "tcp" : lower(text("protocol"));
  const std::string net = text("net");
  if (net.empty()) return fmt::format("{}:{}", protocol, text("port"));
  const bool v6 = net.find(':') != std::string::npos;
  return fmt::format("{}:{}{}{}:{}", protocol, v6 ? "[" : "", net, v6 ? "]" : "", text("port"));
}

std::string list_text(const Schema& items, const json::array& array) {
  if (items.type == Type::object && array.empty()) return "none";
  std::string joined;
  for (const auto& item : array) {
    if (!joined.empty()) joined += ',';
    joined += item.is_object() ? failsafe_text(item.get_object()) : plain_text(item);
  }
  return joined;
}

std::string text_of(const Schema& schema, const json::value& value) {
  if (value.is_string() && schema.format == k_seconds)
    return duration_text(value.get_string(), false);
  if (value.is_string() && schema.format == k_milliseconds)
    return duration_text(value.get_string(), true);
  if (value.is_array() && schema.items) return list_text(*schema.items, value.get_array());
  const auto* range = value.if_object();
  if (range != nullptr && range->contains("min") && range->contains("max"))
    return fmt::format("{}-{}", plain_text(range->at("min")), plain_text(range->at("max")));
  return plain_text(value);
}

json::value number_or_text(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size()) return number;
  return json::value(text);
}

// tcp:10.0.0.0/8:22, udp:68 or 22 -> {protocol, net, port}
json::value failsafe_port(std::string_view text) {
  json::object port{{"protocol", "TCP"}};
  const size_t last = text.rfind(':');
  port["port"] = number_or_text(std::string(text.substr(last + 1)));
  if (last == std::string_view::npos) return port;
  text = text.substr(0, last);
  const size_t first = text.find(':');
  std::string protocol(text.substr(0, first));
  for (char& c : protocol) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  port["protocol"] = protocol;
  if (first == std::string_view::npos) return port;
  std::string_view net = text.substr(first + 1);
  if (net.starts_with('[') && net.ends_with(']')) net = net.substr(1, net.size() - 2);
  port["net"] = net;
  return port;
}

json::value list_value(const Schema& items, const std::string& text) {
  const bool ports = items.type == Type::object;
  json::array array;
  if (text.empty() || (ports && text == "none")) return array;
  for (const auto part : base::split(text, ',')) {
    if (ports)
      array.push_back(failsafe_port(part));
    else
      array.push_back(items.type == Type::string ? json::value(part)
                                                 : number_or_text(std::string(part)));
  }
  return array;
}

json::value range_value(const std::string& text) {
  const auto parts = base::split(text, '-');
  if (parts.size() != 2) return json::value(text);
  return json::object{{"min", number_or_text(std::string(parts[0]))},
                      {"max", number_or_text(std::string(parts[1]))}};
}

json::value value_of(const Schema& schema, const std::string& text) {
  switch (schema.type) {
    case Type::boolean:
      return text == "true";
    case Type::integer:
    case Type::int_or_string:
      return number_or_text(text);
    case Type::list:
      return list_value(*schema.items, text);
    case Type::object:
      return range_value(text);
    default:
      break;
  }
  if (schema.format == k_seconds) return json::value(text + "s");
  if (schema.format == k_milliseconds) return json::value(text + "ms");
  return json::value(text);
}

}  // namespace

Settings to_settings(const Schema& spec, const json::object& object) {
  Settings settings;
  for (const auto& [name, value] : object) {
    const Field* field = spec.find(name);
    if (field != nullptr && !value.is_null())
      settings.emplace(name, text_of(*field->schema, value));
  }
  return settings;
}

json::object from_settings(const Schema& spec, const Settings& settings) {
  json::object object;
  for (const auto& [name, text] : settings)
    if (const Field* field = spec.find(name)) object[name] = value_of(*field->schema, text);
  return object;
}

}  // namespace margay::api::calico
