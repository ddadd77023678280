#include "ctl/version_command.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "api/json_path.h"
#include "ctl/objects.h"

namespace margay::ctl {

base::Result<std::chrono::milliseconds> parse_go_duration(std::string_view text) {
  const auto bad = [&] {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("Invalid poll duration specified: {}", text));
  };
  static const std::map<std::string_view, double> k_units{
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
  if (text == "0") return std::chrono::milliseconds(0);
  double sum = 0;
  auto rest = text;
  do {
    double number = 0;
    const auto parsed =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (parsed.ec != std::errc() || number < 0) return bad();
    rest.remove_prefix(static_cast<size_t>(parsed.ptr - rest.data()));
    const auto unit = rest.substr(0, rest.find_first_of("0123456789."));
    const auto known = k_units.find(unit);
    if (known == k_units.end()) return bad();
    sum += number * known->second;
    rest.remove_prefix(unit.size());
  } while (!rest.empty());
  constexpr double k_most = 1e12;
  if (sum > k_most) return bad();
  return std::chrono::milliseconds(static_cast<int64_t>(sum));
}

std::string client_version() {
  return fmt::format("Client Version:    {}\nGit commit:        {}\n", MARGAY_VERSION, "unknown");
}

Outcome ClusterVersion::look() {
  Outcome outcome;
  const auto fail = [&](const base::Error& error) {
    version_.clear();
    type_.clear();
    outcome.error = "Unable to retrieve Cluster Version or Type: " + error.message;
    return outcome;
  };
  const auto store = connect_(Access::read);
  if (!store) return fail(store.error());
  const auto found = Objects(**store).get(*find_resource_type("clusterinformation"), "", "default");
  if (!found) return fail(found.error());
  const auto tell = [&](std::string_view heading, std::string_view field, std::string& told) {
    std::string value(api::text_at(*found, {"spec", field}));
    if (value.empty()) value = "unknown";
    if (value == told) return;
    outcome.output += fmt::format("{:<18} {}\n", heading, value);
    told = std::move(value);
  };
  tell("Cluster Version:", "calicoVersion", version_);
  tell("Cluster Type:", "clusterType", type_);
  return outcome;
}

}  // namespace margay::ctl
