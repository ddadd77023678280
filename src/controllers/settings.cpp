#include "controllers/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <string_view>

#include "api/formats.h"
#include "base/text.h"

namespace margay::controllers {
namespace {

using base::ErrorCode;
using base::Result;
using Variables = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view k_others[] = {"policy", "namespace", "profile", "workloadendpoint",
                                         "serviceaccount"};
constexpr std::string_view k_levels[] = {"panic",   "fatal", "error", "warn",
                                         "warning", "info",  "debug", "trace"};

Variables variables(const char* const* environment) {
  Variables all;
  for (; *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const size_t equals = line.find('=');
    if (equals != line.npos) all.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return all;
}

std::unexpected<base::Error> bad(std::string_view variable, std::string_view value,
                                 std::string_view rule, ErrorCode code = ErrorCode::invalid) {
  return base::fail(code, fmt::format("{}: Invalid value: \"{}\": {}", variable, value, rule));
}

// As Go's strconv.ParseBool takes them.
Result<bool> to_flag(std::string_view variable, const std::string& text) {
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return bad(variable, text, "must be true or false");
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// In the words of base::set_up_log.
Result<std::string> to_log_level(const std::string& text) {
  const std::string level = lower(text);
  if (std::ranges::count(k_levels, level) == 0)
    return bad("LOG_LEVEL", text, "must be one of panic, fatal, error, warn, info, debug, trace");
  if (level == "panic") return "fatal";
  return level == "warn" ? "warning" : level;
}

Result<bool> read_enabled(const std::string& list, std::vector<std::string>& warnings) {
  bool node = false;
  for (const auto part : base::split_trimmed(list, ',')) {
    if (part == "node") {
      node = true;
    } else if (std::ranges::count(k_others, part) > 0) {
      warnings.push_back(fmt::format(
          "ENABLED_CONTROLLERS: {} has nothing to do here: the datastore has the objects that it "
          "would copy",
          part));
    } else if (part == "flannelmigration") {
      return bad("ENABLED_CONTROLLERS", list, "flannelmigration is not among these controllers",
                 ErrorCode::unsupported);
    } else {
      return bad("ENABLED_CONTROLLERS", list,
                 "must be a list of node, policy, namespace, workloadendpoint, serviceaccount");
    }
  }
  return node;
}

std::optional<std::chrono::milliseconds> to_period(std::string_view text) {
  const auto length = api::formats::parse_duration(text);
  if (!length || length->count() <= 0) return std::nullopt;
  // Whoever means "never" writes centuries, which no clock can add to now.
  return std::min<std::chrono::milliseconds>(std::chrono::ceil<std::chrono::milliseconds>(*length),
                                             std::chrono::days(1));
}

// What is asked for and has no effect, in the words of whoever asked.
void warn_of(std::vector<std::string>& warnings, bool asked, std::string_view what,
             std::string_view why) {
  if (asked) warnings.push_back(fmt::format("{} has no effect: {}", what, why));
}

constexpr std::string_view k_no_labels = "labels of Kubernetes' nodes are not copied";
constexpr std::string_view k_no_host_endpoints = "host endpoints are not made for nodes";

}  // namespace

Result<Environment> Environment::read(const char* const* environment) {
  const Variables from = variables(environment);
  Environment read;
  Result<> failed;
  const auto with = [&](const char* name, auto&& take) {
    const auto found = from.find(name);
    if (failed && found != from.end() && !found->second.empty()) failed = take(found->second);
  };
  with("DATASTORE_TYPE", [](const std::string& text) -> Result<> {
    if (text == "kubernetes") return {};
    return bad("DATASTORE_TYPE", text, "must be kubernetes: an API server", ErrorCode::unsupported);
  });
  with("ENABLED_CONTROLLERS", [&](const std::string& text) -> Result<> {
    MARGAY_TRY(read.runs_node, read_enabled(text, read.warnings));
    return {};
  });
  with("LOG_LEVEL", [&](const std::string& text) -> Result<> {
    MARGAY_TRY(read.log_level, to_log_level(text));
    return {};
  });
  with("HEALTH_ENABLED", [&](const std::string& text) -> Result<> {
    MARGAY_TRY(read.health_checks, to_flag("HEALTH_ENABLED", text));
    return {};
  });
  with("RECONCILER_PERIOD", [&](const std::string& text) -> Result<> {
    read.reconcile_every = to_period(text);
    if (read.reconcile_every) return {};
    return bad("RECONCILER_PERIOD", text, "must be a duration such as 5m, and not 0");
  });
  with("SYNC_NODE_LABELS", [&](const std::string& text) -> Result<> {
    MARGAY_TRY(const bool asked, to_flag("SYNC_NODE_LABELS", text));
    warn_of(read.warnings, asked, "SYNC_NODE_LABELS", k_no_labels);
    return {};
  });
  with("AUTO_HOST_ENDPOINTS", [&](const std::string& text) -> Result<> {
    const std::string choice = lower(text);
    if (choice != "enabled" && choice != "disabled")
      return bad("AUTO_HOST_ENDPOINTS", text, "must be enabled or disabled");
    warn_of(read.warnings, choice == "enabled", "AUTO_HOST_ENDPOINTS", k_no_host_endpoints);
    return {};
  });
  if (!failed) return base::fail(std::move(failed).error());
  return read;
}

Settings merge(const Environment& environment,
               const std::optional<api::KubeControllersConfiguration>& configuration) {
  Settings settings{.warnings = environment.warnings};
  if (configuration) {
    const auto& spec = configuration->spec;
    const auto& node = spec.controllers.node;
    settings.runs_node = node.has_value();
    settings.health_checks = spec.health_checks != "Disabled";
    if (const auto level = to_log_level(spec.log_severity_screen)) settings.log_level = *level;
    if (node) {
      settings.reconcile_every =
          to_period(node->reconciler_period).value_or(settings.reconcile_every);
      const std::string path = "KubeControllersConfiguration default: spec.controllers.node.";
      warn_of(settings.warnings, node->sync_labels == "Enabled", path + "syncLabels", k_no_labels);
      warn_of(settings.warnings,
              node->host_endpoint && node->host_endpoint->auto_create == "Enabled",
              path + "hostEndpoint.autoCreate", k_no_host_endpoints);
    }
  }
  settings.runs_node = environment.runs_node.value_or(settings.runs_node);
  settings.log_level = environment.log_level.value_or(settings.log_level);
  settings.health_checks = environment.health_checks.value_or(settings.health_checks);
  settings.reconcile_every = environment.reconcile_every.value_or(settings.reconcile_every);
  return settings;
}

}  // namespace margay::controllers
