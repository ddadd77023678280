#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

namespace margay::base {

Result<> set_up_log(std::string_view component, std::string_view level) {
  static const std::map<std::string, spdlog::level::level_enum, std::less<>> k_levels = {
      {"trace", spdlog::level::trace},    {"debug", spdlog::level::debug},
      {"info", spdlog::level::info},      {"warning", spdlog::level::warn},
      {"warn", spdlog::level::warn},      {"error", spdlog::level::err},
      {"fatal", spdlog::level::critical}, {"panic", spdlog::level::critical},
      {"none", spdlog::level::off},
  };
  std::string lower(level);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found = k_levels.find(lower);
  if (found == k_levels.end()) {
    return fail(ErrorCode::invalid, "log level \"" + std::string(level) +
                                        "\" is not one of trace, debug, info, warning, error, "
                                        "fatal, none");
  }
  auto logger = std::make_shared<spdlog::logger>(std::string(component),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %n  %v", spdlog::pattern_time_type::utc);
  logger->set_level(found->second);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace margay::base
