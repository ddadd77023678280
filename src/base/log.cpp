#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/printable.h"

namespace margay::base {
namespace {

class LineFormatter : public spdlog::formatter {
 public:
  explicit LineFormatter(std::string pattern)
      : pattern_(std::move(pattern)), lines_(pattern_, spdlog::pattern_time_type::utc) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& into) override {
    const std::string text = printable({message.payload.data(), message.payload.size()});
    spdlog::details::log_msg shown = message;
    shown.payload = text;
    lines_.format(shown, into);
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return line_formatter(pattern_); }

 private:
  std::string pattern_;
  spdlog::pattern_formatter lines_;
};

}  // namespace

std::unique_ptr<spdlog::formatter> line_formatter(std::string pattern) {
  return std::make_unique<LineFormatter>(std::move(pattern));
}

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
  logger->set_formatter(line_formatter("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %n  %v"));
  logger->set_level(found->second);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace margay::base
