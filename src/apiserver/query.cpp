#include "apiserver/query.h"

#include <fmt/format.h>

#include <boost/algorithm/string/predicate.hpp>
#include <charconv>

namespace margay::apiserver {

std::string_view text_in(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view{} : std::string_view{found->second};
}

bool flag_in(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  if (found == query.end()) return false;
  return found->second != "0" && !boost::algorithm::iequals(found->second, "false");
}

Answer<std::optional<int64_t>> integer_in(const Query& query, std::string_view name,
                                          int64_t least) {
  const auto text = text_in(query, name);
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    return refuse(bad_request(fmt::format("{} must be a whole number, not \"{}\"", name, text)));
  return value;
}

Answer<bool> dry_run_in(const Query& query) {
  const auto text = text_in(query, "dryRun");
  if (!text.empty() && text != "All")
    return refuse(bad_request(fmt::format("dryRun must be \"All\", not \"{}\"", text)));
  return !text.empty();
}

}  // namespace margay::apiserver
