#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/followed_file_sink.h"
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

namespace {

Result<spdlog::level::level_enum> level_named(std::string_view text) {
  static const std::map<std::string, spdlog::level::level_enum, std::less<>> k_levels = {
      {"trace", spdlog::level::trace},    {"debug", spdlog::level::debug},
      {"info", spdlog::level::info},      {"warning", spdlog::level::warn},
      {"warn", spdlog::level::warn},      {"error", spdlog::level::err},
      {"fatal", spdlog::level::critical}, {"panic", spdlog::level::critical},
      {"none", spdlog::level::off},       {"", spdlog::level::off},
  };
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found = k_levels.find(lower);
  if (found != k_levels.end()) return found->second;
  return fail(ErrorCode::invalid, "log level \"" + std::string(text) +
                                      "\" is not one of trace, debug, info, warning, error, "
                                      "fatal, none");
}

}  // namespace

Result<> set_up_log(std::string_view component, std::string_view level) {
  if (level.empty()) return base::fail(ErrorCode::invalid, "no log level");
  return set_up_log(component, LogOutputs{.screen = std::string(level)});
}

Result<> set_up_log(std::string_view component, const LogOutputs& outputs) {
  MARGAY_TRY(const auto screen, level_named(outputs.screen));
  MARGAY_TRY(const auto file, level_named(outputs.file_level));
  MARGAY_TRY(const auto system, level_named(outputs.syslog_level));
  auto logger = std::make_shared<spdlog::logger>(std::string(component));
  const auto add = [&](spdlog::sink_ptr sink, spdlog::level::level_enum level,
                       const char* pattern) {
    sink->set_formatter(line_formatter(pattern));
    sink->set_level(level);
    logger->sinks().push_back(std::move(sink));
  };
  constexpr const char* k_line = "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %n  %v";
  add(std::make_shared<spdlog::sinks::stderr_sink_mt>(), screen, k_line);
  if (!outputs.file.empty() && file != spdlog::level::off) {
    MARGAY_TRY(auto sink, FollowedFileSink::open(outputs.file));
    add(std::move(sink), file, k_line);
  }
  if (system != spdlog::level::off)
    add(std::make_shared<spdlog::sinks::syslog_sink_mt>(outputs.syslog_name, LOG_PID, LOG_USER,
                                                        true),
        system, "%v");
  logger->set_level(std::ranges::min(logger->sinks(), {}, &spdlog::sinks::sink::level)->level());
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace margay::base
