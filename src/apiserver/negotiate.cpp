#include "apiserver/negotiate.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <charconv>
#include <optional>

namespace margay::apiserver {
namespace {

constexpr std::string_view k_json = "application/json";
constexpr std::string_view k_yaml = "application/yaml";
constexpr std::string_view k_protobuf = "application/vnd.kubernetes.protobuf";
constexpr std::string_view k_offered = "application/json, application/yaml";
constexpr std::string_view k_all =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";
constexpr std::string_view k_patches =
    "application/json-patch+json, application/merge-patch+json, "
    "application/strategic-merge-patch+json";

std::vector<std::string> split_trimmed(std::string_view text, char separator) {
  std::vector<std::string> parts;
  boost::split(parts, text, [separator](char c) { return c == separator; });
  for (auto& part : parts) boost::trim(part);
  return parts;
}

double parse_quality(std::string_view text) {
  double quality = 1;
  std::from_chars(text.data(), text.data() + text.size(), quality);
  return std::clamp(quality, 0.0, 1.0);
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  auto parts = split_trimmed(text, ';');
  range.type = boost::to_lower_copy(parts.front());
  for (size_t i = 1; i < parts.size(); ++i) {
    const auto equals = parts[i].find('=');
    if (equals == std::string::npos) continue;
    auto name = boost::to_lower_copy(parts[i].substr(0, equals));
    auto value = boost::trim_copy_if(parts[i].substr(equals + 1), boost::is_any_of("\" "));
    if (name == "q")
      range.quality = parse_quality(value);
    else
      range.parameters.emplace_back(std::move(name), std::move(value));
  }
  return range;
}

std::optional<Format> format_of(std::string_view type) {
  if (type == k_json || type == "*/*" || type == "application/*") return Format::json;
  if (type == k_yaml) return Format::yaml;
  if (type == k_protobuf) return Format::protobuf;
  return std::nullopt;
}

std::optional<Media> media_of(const MediaRange& range, Protobuf protobuf) {
  const auto format = format_of(range.type);
  if (!format || range.quality == 0) return std::nullopt;
  if (*format == Format::protobuf && protobuf == Protobuf::none) return std::nullopt;
  Media media{.format = *format};
  const auto as = range.parameter("as");
  if (as.empty() && media.format == Format::protobuf && protobuf != Protobuf::all)
    return std::nullopt;
  if (as.empty()) return media;
  const auto version = range.parameter("v");
  if (range.parameter("g") != "meta.k8s.io" || (version != "v1" && version != "v1beta1"))
    return std::nullopt;
  media.version = version;
  if (as == "Table" && media.format != Format::protobuf)
    media.shape = Shape::table;
  else if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList")
    media.shape = Shape::metadata;
  else
    return std::nullopt;
  return media;
}

}  // namespace

std::string_view Media::content_type() const {
  if (format == Format::protobuf) return k_protobuf;
  return format == Format::yaml ? k_yaml : k_json;
}

std::string_view MediaRange::parameter(std::string_view name) const {
  const auto found =
      std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
  return found == parameters.end() ? std::string_view{} : std::string_view{found->second};
}

std::vector<MediaRange> parse_accept(std::string_view accept) {
  std::vector<MediaRange> ranges;
  for (const auto& part : split_trimmed(accept, ','))
    if (!part.empty()) ranges.push_back(parse_range(part));
  std::ranges::stable_sort(ranges, std::greater{}, &MediaRange::quality);
  return ranges;
}

Answer<Media> negotiate(std::string_view accept, Protobuf protobuf) {
  const auto ranges = parse_accept(accept);
  if (ranges.empty()) return Media{};
  for (const auto& range : ranges)
    if (const auto media = media_of(range, protobuf)) return *media;
  return refuse(not_acceptable(protobuf == Protobuf::all ? k_all : k_offered));
}

std::string media_type(std::string_view content_type) {
  return boost::to_lower_copy(
      boost::trim_copy(std::string(content_type.substr(0, content_type.find(';')))));
}

Answer<BodyType> body_type(std::string_view content_type) {
  const auto type = media_type(content_type);
  if (type.empty() || type == k_json) return BodyType::json;
  if (type == k_yaml || type == "application/x-yaml" || type == "text/yaml") return BodyType::yaml;
  if (type == k_protobuf) return BodyType::protobuf;
  return refuse(unsupported_media_type(type, k_all));
}

Answer<PatchType> patch_type(std::string_view content_type) {
  const auto type = media_type(content_type);
  if (type == "application/json-patch+json") return PatchType::json;
  if (type == "application/merge-patch+json") return PatchType::merge;
  if (type == "application/strategic-merge-patch+json") return PatchType::strategic;
  return refuse(unsupported_media_type(type, k_patches));
}

}  // namespace margay::apiserver
