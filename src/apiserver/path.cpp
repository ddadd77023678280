#include "apiserver/path.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <vector>

#include "base/utf8.h"

namespace margay::apiserver {
namespace {

using Segments = std::vector<std::string>;

std::optional<Segments> split(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  Segments segments;
  size_t begin = 1;
  while (begin <= path.size()) {
    const auto end = std::min(path.find('/', begin), path.size());
    if (end == begin) return std::nullopt;  // an empty segment names nothing
    segments.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

// A Namespace is itself addressed as /namespaces/<name>; these are its subresources, not resources
// inside it.
bool is_namespace_subresource(const std::string& segment) {
  return segment == "status" || segment == "finalize";
}

// Reads "[namespaces/<ns>/]<resource>[/<name>[/<subresource>]]" from `at` on.
std::optional<ResourcePath> read_resource(const Segments& segments, size_t at, ResourcePath out) {
  const auto count = segments.size() - at;
  const bool in_namespace = count >= 3 && segments[at] == "namespaces" &&
                            !(count == 3 && is_namespace_subresource(segments[at + 2]));
  if (in_namespace) {
    out.ns = segments[at + 1];
    at += 2;
  }
  if (at >= segments.size() || segments.size() - at > 3) return std::nullopt;
  out.resource = segments[at++];
  if (at < segments.size()) out.name = segments[at++];
  if (at < segments.size()) out.subresource = segments[at];
  return out;
}

bool is_web(const boost::urls::url_view& url) {
  using boost::urls::scheme;
  return (url.scheme_id() == scheme::https || url.scheme_id() == scheme::http) &&
         url.has_authority();
}

}  // namespace

Answer<Target> parse_target(std::string_view target) {
  const bool is_origin_form = target.starts_with('/');
  const auto url = is_origin_form ? boost::urls::parse_origin_form(target)
                                  : boost::urls::parse_absolute_uri(target);
  if (!url || (!is_origin_form && !is_web(*url)))
    return refuse(bad_request("the request's URL is malformed"));
  Target out;
  // An encoded slash would be indistinguishable from a separator once decoded.
  for (const auto& segment : url->segments()) {
    if (segment.find('/') != std::string::npos)
      return refuse(bad_request("the request's path has an encoded slash"));
    if (!base::is_utf8(segment)) return refuse(bad_request("the request's path is not UTF-8"));
    out.path += "/" + segment;
  }
  if (out.path.empty()) out.path = "/";
  for (const auto& parameter : url->params()) {
    if (!base::is_utf8(parameter.key) || !base::is_utf8(parameter.value))
      return refuse(bad_request("the request's query is not UTF-8"));
    out.query.emplace(parameter.key, parameter.value);
  }
  return out;
}

std::optional<ResourcePath> parse_resource_path(std::string_view path) {
  const auto segments = split(path);
  if (!segments) return std::nullopt;
  const auto& s = *segments;
  ResourcePath out;
  if (s[0] == "api" && s.size() >= 3) {
    out.version = s[1];
    return read_resource(s, 2, std::move(out));
  }
  if (s[0] == "apis" && s.size() >= 4) {
    out.group = s[1];
    out.version = s[2];
    return read_resource(s, 3, std::move(out));
  }
  return std::nullopt;
}

}  // namespace margay::apiserver
